"""How the page looks."""

STYLE = """
:root { --ink:#1b1f24; --faint:#5d6570; --grid:#e2e5e9; --paper:#ffffff; --card:#ffffff; --edge:#e2e5e9; --back:#f5f6f8;
  --blue:#0072b2; --orange:#d55e00; --green:#009e73; --grey:#8a929c; color-scheme: light dark; }
@media (prefers-color-scheme: dark) {
  :root { --ink:#e8ebef; --faint:#a3acb7; --grid:#343b44; --paper:#15181c; --card:#1c2025; --edge:#2d333b;
    --back:#121417;     --blue:#56b4e9; --orange:#f28e4b; --green:#3cc9a0; --grey:#8f98a3; } }
* { box-sizing: border-box; }
body { margin:0; background:var(--back); color:var(--ink); line-height:1.5;
  font:16px/1.5 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; overflow-wrap:anywhere; }
header, main { max-width:860px; margin:0 auto; padding:0 20px; }
header { padding-top:28px; }
h1 { font-size:1.7rem; margin:0 0 .3rem; line-height:1.2; }
header p { color:var(--faint); margin:0; font-size:.92rem; }
nav { display:flex; flex-wrap:wrap; gap:8px; margin:16px 0 0; }
nav a { color:var(--ink); background:var(--card); border:1px solid var(--edge); border-radius:999px; padding:5px 14px;
  text-decoration:none; font-size:.92rem; }
nav a:focus-visible, nav a:hover { border-color:var(--blue); color:var(--blue); }
h2 { font-size:1.3rem; margin:38px 0 12px; }
article { background:var(--card); border:1px solid var(--edge); border-radius:12px; padding:20px; margin:0 0 16px; }
h3 { font-size:1.05rem; margin:0 0 4px; line-height:1.3; }
.reading { color:var(--faint); margin:0 0 14px; font-size:.92rem; max-width:70ch; }
.nothing { color:var(--faint); margin:0; font-style:italic; }
.caveat { color:var(--faint); font-size:.86rem; margin:12px 0 0; max-width:75ch; }
figure { margin:0; }
figcaption { color:var(--faint); font-size:.86rem; margin-top:8px; }
figure svg { display:block; width:100%; height:auto; }
.narrow { display:none; }
details { margin-top:14px; }
summary { cursor:pointer; color:var(--blue); font-size:.92rem; }
.scroll { overflow-x:auto; margin-top:10px; }
table { border-collapse:collapse; width:100%; font-size:.88rem; font-variant-numeric:tabular-nums;
  overflow-wrap:normal; }
th { color:var(--faint); font-weight:600; }
th, td { padding:6px 10px 6px 0; border-bottom:1px solid var(--edge); vertical-align:top; }
.text { text-align:left; min-width:7em; }
.number { text-align:right; white-space:nowrap; }
@media (max-width:640px) {
  header, main { padding-left:12px; padding-right:12px; }
  article { padding:14px 12px; border-radius:10px; }
  .wide { display:none; } .narrow { display:block; }
  thead { display:none; }
  table, tbody, tr, td { display:block; }
  tr { border-bottom:1px solid var(--edge); padding:8px 0; }
  td.text, td.number { display:flex; justify-content:space-between; gap:16px; border:0; padding:2px 0; min-width:0;
    text-align:right; white-space:normal; }
  td::before { content:attr(data-label); color:var(--faint); text-align:left; flex:none; }
  td:empty { display:none; }
}
@media print { body { background:none; } article { break-inside:avoid; border:0; padding:0; } nav { display:none; } }
"""
