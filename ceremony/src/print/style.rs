//! What the printed script adds to the style of every page.

/// The style.
pub(super) const STYLE: &str = "\
@page{size:A4;margin:12mm 14mm;@bottom-right{content:\"page \" counter(page) \" of \" counter(pages);font:8pt Arial,sans-serif;color:#5a6673}}
body{max-width:54em}
table.paper{margin:0;table-layout:fixed}
table.paper>thead>tr>td,table.paper>tbody>tr>td,table.paper>tfoot>tr>td{border:0;padding:0}
.running{font-size:.8em;color:var(--soft)}
.running div{display:flex;justify-content:space-between;gap:1em;padding:.3em 0;border-bottom:1px solid var(--line);white-space:nowrap;overflow:hidden}
tfoot .running div{border-bottom:0;border-top:1px solid var(--line);margin-top:.8em;font-family:\"Liberation Mono\",Menlo,monospace;color:var(--ink)}
.purpose{font-size:1.05em}
.rehearsal{background:#ffd84d;font-weight:bold;padding:.4em .8em;print-color-adjust:exact;-webkit-print-color-adjust:exact}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.15em 1.4em;margin:.8em 0}
dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}
.line{border-bottom:1px solid var(--soft);min-height:1.4em}
table.form td,table.form th{border:1px solid var(--soft);padding:.35em .5em}
table.form th{background:var(--pale);print-color-adjust:exact;-webkit-print-color-adjust:exact}
tr.high td{height:2.9em;vertical-align:middle}
td.seat{white-space:nowrap}td.name{width:21%}td.narrow{width:4.6em}td.bag{width:7em;white-space:nowrap}td.what{color:var(--soft);width:24%}
table.steps td.count{width:2.8em;text-align:right;font-weight:bold}
table.steps td.initials{width:11em;font-size:.82em;color:var(--soft);white-space:nowrap}
table.steps td.utc{width:6em}
table.steps p{margin:.25em 0}
tr.only td.count{border-left:5px solid #d39b00}
.onlyif{color:var(--warn);font-weight:bold}
.box{display:inline-block;width:2.6em;height:1.7em;border:1px solid var(--soft);vertical-align:middle;margin:.1em .5em .1em 0}
.aloud{font-size:1.08em;border-left:3px solid var(--link);padding-left:.7em}
code.command{display:block;background:var(--pale);padding:.35em .6em;white-space:pre-wrap;overflow-wrap:anywhere;\
print-color-adjust:exact;-webkit-print-color-adjust:exact}
.blank{display:flex;gap:.6em}.blank .line{flex:1}
table.sheet td{vertical-align:top}
@media screen{section.act{margin-top:3em}}
@media print{section.act{break-before:page}h2{margin-top:.6em}table.form tr{break-inside:avoid}}
";
