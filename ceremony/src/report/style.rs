//! What the report adds to the style of every page.

/// The style.
pub(super) const STYLE: &str = "\
.rehearsal{background:repeating-linear-gradient(135deg,#ffd84d 0 22px,#1c2733 22px 26px);padding:10px;margin:0 0 1em}
.rehearsal p{background:#ffd84d;color:#1c2733;font-weight:bold;font-size:1.15em;text-align:center;margin:0;padding:.5em}
.stamp{position:fixed;top:38%;left:0;right:0;text-align:center;font-size:9vw;font-weight:bold;letter-spacing:.05em;color:#b3261e;opacity:.07;\
transform:rotate(-24deg);pointer-events:none}
.verdict{border-left:10px solid;padding:.8em 1.2em;margin:1em 0;background:var(--pale)}
.verdict strong{font-size:1.5em;line-height:1.25}
.verdict.good{border-color:var(--good)}.verdict.good strong{color:var(--good)}
.verdict.bad{border-color:var(--bad)}.verdict.bad strong{color:var(--bad)}
.verdict.mild{border-color:#d39b00}
nav a{margin-right:1.1em;white-space:nowrap}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.2em 1.4em;margin:.8em 0}
dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}
.subtitle{margin:0;color:var(--soft)}
td.number,th.number{text-align:right;padding-right:1.2em;font-variant-numeric:tabular-nums}
td.time{white-space:nowrap;font-variant-numeric:tabular-nums}
td.claim{width:17em}td.came{white-space:nowrap}.chip{display:inline-block;min-width:6.2em;text-align:center;border-radius:3px;padding:0 .5em;font-weight:600;white-space:nowrap}
.chip.pass{background:#dff1e9}.chip.fail{background:var(--bad);color:#fff}.chip.not-checked{background:#fdf0cf}
.command{display:block;margin-top:.3em;color:var(--soft)}
.sheet{border:1px solid var(--line);border-left:6px solid #d39b00;padding:.5em 1em;margin:.8em 0;break-inside:avoid}
.sheet.bad{border-left-color:var(--bad)}.sheet h3{margin:.2em 0}
.picture{display:block;width:100%;height:auto;margin:1em 0 .4em;print-color-adjust:exact;-webkit-print-color-adjust:exact}
.picture text{font:11px \"Liberation Sans\",Arial,sans-serif;fill:#1c2733}
.picture .tick,.picture .fold{text-anchor:middle;fill:#5a6673}.picture .day{font-weight:bold}
.picture text.lane{font-weight:bold}.picture .number{text-anchor:middle;fill:#fff;font-weight:bold;font-size:10px}
.picture .dark{fill:#1c2733}
.picture rect.lane{fill:#f4f6f8}.picture .grid{stroke:#d5dce3}.picture .break{fill:#5a6673;opacity:.14}
.words{fill:#6b8cae;background:#6b8cae}.program{fill:#0b559f;background:#0b559f}.sealing{fill:#0a6b4b;background:#0a6b4b}
.pausing{fill:#b4bec8;background:#b4bec8}.skipped{fill:#fff;stroke:#5a6673;stroke-dasharray:3 2}.open{fill:#b3261e;background:#b3261e}
.picture .seal{fill:#0a6b4b}.picture .at{stroke:#5a6673}.picture .stay{fill:#93a1b0}
.bad{fill:#b3261e}.mild{fill:#c27c00}
.legend{font-size:.85em;color:var(--soft)}.legend span.key{display:inline-block;width:1.1em;height:.8em;margin:0 .35em 0 1em;border-radius:2px;\
print-color-adjust:exact;-webkit-print-color-adjust:exact}
.legend .skipped{border:1px dashed #5a6673}.legend b{margin-left:1em;color:var(--ink)}
ol.log{list-style:none;padding:0;font-size:.85em}
ol.log li{border-top:1px solid var(--line);padding:.45em 0;break-inside:avoid}
ol.log li:target{background:#fff7dc;outline:3px solid #ffd84d}
ol.log code{display:block;white-space:pre-wrap;overflow-wrap:anywhere;background:var(--pale);padding:.4em .6em;margin-top:.2em}
ol.log code b{font-weight:normal;color:#0b559f}
.hash{color:var(--soft);font-size:.9em}
@media print{nav{display:none}.stamp{opacity:.1}a{color:inherit;text-decoration:none}}
";
