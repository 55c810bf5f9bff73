//! Where the marks of a picture are.

use std::collections::BTreeSet;

use roxmltree::{Document, Node};

pub const SVG: &str = "http://www.w3.org/2000/svg";

fn number(node: Node<'_, '_>, name: &str) -> f64 {
    node.attribute(name).map_or(0.0, |value| value.parse().unwrap())
}

/// Every mark of every picture is on its canvas, and no id is there twice.
pub fn check(document: &Document<'_>) {
    let mut ids = BTreeSet::new();
    for node in document.descendants() {
        if let Some(id) = node.attribute("id") {
            assert!(ids.insert(id), "{id} twice");
        }
    }
    for node in document.descendants() {
        if let Some(target) = node.attribute("fill").and_then(|fill| fill.strip_prefix("url(#")) {
            assert!(ids.contains(target.trim_end_matches(')')), "{target}");
        }
    }
    let pictures = document
        .descendants()
        .filter(|node| node.has_tag_name((SVG, "svg")));
    for picture in pictures {
        on_canvas(picture);
    }
}

fn on_canvas(picture: Node<'_, '_>) {
    let (width, height) = (number(picture, "width"), number(picture, "height"));
    let is_on = |x: f64, y: f64, node: Node<'_, '_>| {
        assert!(
            (0.0..=width).contains(&x) && (0.0..=height).contains(&y),
            "{x},{y} of {node:?} on {width}x{height}"
        );
    };
    let is_defined = |node: &Node<'_, '_>| node.ancestors().any(|above| above.has_tag_name((SVG, "defs")));
    for node in picture.descendants().filter(|node| !is_defined(node)) {
        let at = |x: &str, y: &str| is_on(number(node, x), number(node, y), node);
        match node.tag_name().name() {
            "rect" => {
                at("x", "y");
                let (x, y) = (number(node, "x"), number(node, "y"));
                assert!(number(node, "width") >= 1.0 && number(node, "height") > 0.0);
                is_on(x + number(node, "width"), y + number(node, "height"), node);
            }
            "line" => {
                at("x1", "y1");
                at("x2", "y2");
            }
            "circle" => at("cx", "cy"),
            "text" => at("x", "y"),
            "polygon" => {
                for point in node.attribute("points").unwrap().split(' ') {
                    let (x, y) = point.split_once(',').unwrap();
                    is_on(x.parse().unwrap(), y.parse().unwrap(), node);
                }
            }
            _ => {}
        }
    }
}

/// The names of the lanes that are drawn, with how many of each there are.
pub fn lanes(document: &Document<'_>, name: &str) -> usize {
    document
        .descendants()
        .filter(|node| node.attribute("class") == Some("lane") && node.text() == Some(name))
        .count()
}
