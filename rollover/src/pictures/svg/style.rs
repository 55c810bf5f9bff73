//! The colours of a chart. Nothing is told by a colour alone.

/// For light screens and for paper. Every name is within `.keyrite-chart`, since a page's style is one for all that is in it.
pub(super) const STYLE: &str = "\
.keyrite-chart{--paper:#fff;--band:#f5f7f9;--ink:#1c2733;--soft:#5a6673;--line:#e1e6eb;--axis:#aab4be;--dnskey:#0b559f;--ds:#8a2f86;\
--dnskey-rrsig:#5d8fc4;--zone-rrsig:#0a6b4b;--person:#b84300;--limit:#b3261e;--now:#1c2733;--on:#fff;display:block;width:100%;height:auto;\
font:12px/1.3 \"Liberation Sans\",Arial,Helvetica,sans-serif;print-color-adjust:exact;-webkit-print-color-adjust:exact}
.keyrite-chart text{fill:var(--ink)}
.keyrite-chart .ground{fill:var(--paper)}.keyrite-chart .band{fill:var(--band)}
.keyrite-chart .title{font-size:17px;font-weight:bold}
.keyrite-chart .soft,.keyrite-chart .algorithm,.keyrite-chart .tick{fill:var(--soft)}
.keyrite-chart .algorithm{font-size:9.5px}
.keyrite-chart .key{font-size:13px;font-weight:bold}.keyrite-chart .name,.keyrite-chart .large{font-weight:bold}
.keyrite-chart .lane{text-anchor:end}
.keyrite-chart .tick,.keyrite-chart .now-word,.keyrite-chart .letter,.keyrite-chart .silent{text-anchor:middle}
.keyrite-chart .now-word{font-weight:bold;fill:var(--now)}
.keyrite-chart .kind{font-weight:bold}.keyrite-chart .kind.person{fill:var(--person)}
.keyrite-chart .kind.limit,.keyrite-chart text.silent{fill:var(--limit)}
.keyrite-chart .at{font-variant-numeric:tabular-nums}
.keyrite-chart .grid{stroke:var(--line)}.keyrite-chart .grid.large,.keyrite-chart .axis{stroke:var(--axis)}
.keyrite-chart .dnskey{--lane:var(--dnskey)}.keyrite-chart .ds{--lane:var(--ds)}
.keyrite-chart .dnskey-rrsig{--lane:var(--dnskey-rrsig)}.keyrite-chart .zone-rrsig{--lane:var(--zone-rrsig)}
.keyrite-chart .any{--lane:var(--soft)}
.keyrite-chart .bar{fill:var(--lane)}
.keyrite-chart .rumoured,.keyrite-chart .unretentive,.keyrite-chart .uncertain{stroke:var(--lane)}
.keyrite-chart .uncertain{stroke-dasharray:2 2}
.keyrite-chart .paper-rumoured{stroke:var(--paper);stroke-width:2.2}
.keyrite-chart .paper-unretentive,.keyrite-chart .paper-uncertain{fill:var(--paper);fill-rule:evenodd}
.keyrite-chart .planned{fill:none;stroke:var(--lane,var(--soft));stroke-dasharray:4 2}
.keyrite-chart line.link,.keyrite-chart .link circle{stroke:var(--ink)}.keyrite-chart .link circle{fill:var(--paper)}
.keyrite-chart .guide{stroke-dasharray:2 4}.keyrite-chart .guide.person{stroke:var(--person)}.keyrite-chart .guide.limit{stroke:var(--limit)}
.keyrite-chart .silence{fill:var(--limit);fill-opacity:.14;stroke:var(--limit);stroke-dasharray:4 3}
.keyrite-chart .now{stroke:var(--now);stroke-width:2}.keyrite-chart .now-tip{fill:var(--now)}
.keyrite-chart .letter{font-size:10px;font-weight:bold;fill:var(--on)}
.keyrite-chart .mark.person{fill:var(--person)}.keyrite-chart .mark.tool{fill:var(--soft)}
.keyrite-chart .mark.seen{fill:var(--paper);stroke:var(--ink);stroke-width:1.4}.keyrite-chart .letter.seen{fill:var(--ink)}
.keyrite-chart .mark.limit,.keyrite-chart .revoked{fill:var(--limit)}
.keyrite-chart .mark.latest{fill:var(--paper);stroke:var(--limit);stroke-width:1.6}.keyrite-chart .letter.latest{fill:var(--limit)}
";

/// For screens: one that is narrower than its letters allow scrolls, and a dark one is dark, but not what is printed from it.
pub(super) const SCREEN: &str = "\
.keyrite-chart{color-scheme:light dark;max-width:1200px}
@media screen{.keyrite-chart{min-width:960px}}
@media screen and (prefers-color-scheme:dark){.keyrite-chart{--paper:#10161d;--band:#171f28;--ink:#e8edf2;--soft:#9aa7b4;--line:#242e39;\
--axis:#4b5866;--dnskey:#5aa9f5;--ds:#dd8ad9;--dnskey-rrsig:#8cb4dc;--zone-rrsig:#43c295;--person:#ff9a55;--limit:#ff8178;--now:#e8edf2;--on:#10161d}}
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_styles_need_no_escape() {
        assert!(!STYLE.contains(['<', '&']) && !SCREEN.contains(['<', '&']));
    }
}
