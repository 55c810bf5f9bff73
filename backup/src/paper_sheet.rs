//! What is on the paper of a share.

use backup::BundleFolder;
use cli::page::Markup;
use cli::words::words;
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

/// The rows of words: 33 words in three columns.
const ROWS: usize = 11;
/// How many words of the manifest's digest stand in a line.
const WORDS_IN_A_LINE: usize = 8;

/// What the page adds to the style of all pages.
const STYLE: &str = "\
ol{columns:3;font:1.25em/1.9 \"Liberation Mono\",Menlo,Consolas,monospace;padding-left:2.5em}
.blank{display:inline-block;min-width:14em;border-bottom:1px solid var(--ink)}
@media print{ol{font-size:13pt}}
";

/// What stands over the words: each line a name and a value.
fn head(bundle: &BundleFolder, number: u8) -> Vec<(&'static str, String)> {
    let header = &bundle.manifest.header;
    let mut shares = header.shares.iter();
    let custodian = shares.find(|share| share.number == number);
    vec![
        (
            "custodian",
            custodian.map_or_else(String::new, |share| share.custodian.to_string()),
        ),
        (
            "share",
            format!(
                "{number} of {}; any {} open the bundle",
                header.shares.len(),
                header.needed
            ),
        ),
        ("bundle", header.bundle.to_string()),
        ("made", header.created.to_string()),
        ("expires", header.expires.to_string()),
        ("holds", holds(bundle)),
    ]
}

fn holds(bundle: &BundleFolder) -> String {
    let header = &bundle.manifest.header;
    let keys = header.keys.iter().map(backup::manifest::KeyEntry::name);
    let parents = header
        .recovery_parents
        .iter()
        .map(|parent| format!("the recovery parent of {}", parent.token));
    let all: Vec<String> = keys.chain(parents).collect();
    match all.len() {
        0..=6 => all.join(", "),
        more => format!("{} and {} more", all[..5].join(", "), more - 5),
    }
}

/// The lines of the manifest's digest as words.
fn digest_lines(bundle: &BundleFolder) -> Vec<String> {
    let words = words(&bundle.manifest_digest());
    words.chunks(WORDS_IN_A_LINE).map(|line| line.join(" ")).collect()
}

/// Whose initials have a place.
const BLANKS: [&str; 4] = ["custodian", "officer", "witness", "date and place"];

/// The sheet as plain text of 80 columns.
pub fn text(bundle: &BundleFolder, number: u8, share: &SecretString) -> Zeroizing<String> {
    let mut sheet = Zeroizing::new(String::with_capacity(4096));
    let add = |sheet: &mut String, line: &str| {
        sheet.push_str(line);
        sheet.push('\n');
    };
    add(&mut sheet, "KEYRITE: A SHARE OF A BACKUP (SLIP-0039)");
    add(&mut sheet, "");
    for (name, value) in head(bundle, number) {
        add(&mut sheet, &format!("{name:<12}{value}"));
    }
    for (place, line) in digest_lines(bundle).iter().enumerate() {
        add(
            &mut sheet,
            &format!("{:<12}{line}", if place == 0 { "manifest" } else { "" }),
        );
    }
    add(&mut sheet, "");
    let words: Vec<&str> = share.expose_secret().split(' ').collect();
    let rows = ROWS.max(words.len().div_ceil(3));
    for row in 0..rows {
        let mut line = Zeroizing::new(String::with_capacity(80));
        for column in 0..3 {
            let place = column * rows + row;
            if let Some(word) = words.get(place) {
                let cell = Zeroizing::new(format!("{:>4}. {word:<16}", place + 1));
                line.push_str(&cell);
            }
        }
        add(&mut sheet, line.trim_end());
    }
    add(&mut sheet, "");
    for blank in BLANKS {
        add(&mut sheet, &format!("{blank:<16}{}", "_".repeat(40)));
        add(&mut sheet, "");
    }
    add(
        &mut sheet,
        "Keep it where nobody reads it, apart from the bundle. It opens nothing alone.",
    );
    sheet
}

/// The sheet as a page.
pub fn html(bundle: &BundleFolder, number: u8, share: &SecretString) -> Zeroizing<String> {
    Zeroizing::new(Markup::page("A share of a backup", STYLE, |body| {
        body.element("h1", &[], "A share of a backup (SLIP-0039)");
        body.inside("table", &[], |table| {
            for (name, value) in head(bundle, number) {
                table.inside("tr", &[], |row| {
                    row.element("th", &[], name).element("td", &[], &value);
                });
            }
            table.inside("tr", &[], |row| {
                row.element("th", &[], "manifest")
                    .element("td", &[], &digest_lines(bundle).join("\n"));
            });
        });
        body.inside("ol", &[], |list| {
            for word in share.expose_secret().split(' ') {
                list.element("li", &[], word);
            }
        });
        for blank in BLANKS {
            body.inside("p", &[], |line| {
                line.text(blank)
                    .text(" ")
                    .element("span", &[("class", "blank")], " ");
            });
        }
        body.element(
            "p",
            &[("class", "soft")],
            "Keep it where nobody reads it, apart from the bundle. It opens nothing alone.",
        );
    }))
}
