"""The page of a report: markup and style, without any address of another host."""

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>{{ title }}</title>
<style>
:root { color-scheme: light dark; --ink: #1d232b; --soft: #566070; --line: #d9dee5; --paper: #f6f7f9; --card: #fff;
  --blue: #2c5d8f; --loud: #8f3a12; --loud-paper: #fdf1ea; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ee; --soft: #a3adba; --line: #39414c; --paper: #15191f;
  --card: #1e242c; --blue: #86b6e6; --loud: #f3b08c; --loud-paper: #35231a; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 72rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.6rem; margin: .5rem 0; }
h2 { font-size: 1.15rem; margin: 0 0 .3rem; }
section, details { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: 1rem;
  margin: 1rem 0; }
summary { font-weight: 600; font-size: 1.15rem; cursor: pointer; }
p { margin: .2rem 0 .8rem; max-width: 48rem; }
.verdict li { margin: .35rem 0; }
.lead p { font-size: 1.1rem; }
.lead .loud, .verdict .loud { color: var(--loud); background: var(--loud-paper); font-weight: 600; padding: .2rem .4rem;
  border-radius: .25rem; }
.soft, dl, figcaption, caption { color: var(--soft); font-size: .88rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem .8rem; margin: .6rem 0 0; }
dt { font-weight: 600; }
dd { margin: 0; overflow-wrap: anywhere; }
.figures { display: flex; flex-wrap: wrap; gap: 1rem; }
figure { margin: 0; max-width: 100%; }
figure img { display: block; max-width: 100%; height: auto; background: #fff; border-radius: .35rem; }
.wide { overflow-x: auto; margin-top: .8rem; }
table { border-collapse: collapse; font-size: .88rem; font-variant-numeric: tabular-nums; white-space: nowrap; }
th, td { padding: .25rem .6rem; text-align: right; border-bottom: 1px solid var(--line); }
th { color: var(--soft); font-weight: 600; }
th.text, td.text { text-align: left; }
tbody tr:hover { background: var(--paper); }
@media (max-width: 40rem) { main { padding: .5rem; } section, details { padding: .7rem; }
  dl { grid-template-columns: 1fr; }
  dt { margin-top: .3rem; } }
</style>
</head>
<body>
<main>
<h1>{{ heading }}</h1>
{% if lead %}
<div class="lead">
{% for line, loud in lead %}
<p{% if loud %} class="loud"{% endif %}>{{ line }}</p>
{% endfor %}
</div>
{% endif %}
<section class="verdict">
<h2>Verdict</h2>
<ul>
{% for line, loud in verdict %}
<li{% if loud %} class="loud"{% endif %}>{{ line }}</li>
{% endfor %}
</ul>
<dl>
{% for name, value in about.items() %}
<dt>{{ name }}</dt><dd>{{ value }}</dd>
{% endfor %}
</dl>
</section>
{% for section in sections %}
{% if section.folded %}
<details>
<summary>{{ section.title }}</summary>
{% else %}
<section>
<h2>{{ section.title }}</h2>
{% endif %}
<p>{{ section.words }}</p>
{% if section.pictures %}
<div class="figures">
{% for picture in section.pictures %}
<figure><figcaption>{{ picture.title }}</figcaption>
<img src="{{ picture.source }}" width="{{ picture.width }}" alt="{{ section.title }}: {{ picture.title }}"></figure>
{% endfor %}
</div>
{% endif %}
{% if section.table %}
<div class="wide" tabindex="0" role="region" aria-label="Table: {{ section.title }}">
<table>
<thead><tr>
{% for column in section.table.columns %}
<th scope="col"{% if column.is_text %} class="text"{% endif %}>{{ column.head }}</th>
{% endfor %}
</tr></thead>
<tbody>
{% for row in section.table.rows %}
<tr>
{% for column in section.table.columns %}
<td{% if column.is_text %} class="text"{% endif %}>{{ row[loop.index0] }}</td>
{% endfor %}
</tr>
{% endfor %}
</tbody>
</table>
</div>
<dl>
{% for column in section.table.columns if column.meaning %}
<dt>{{ column.head }}</dt><dd>{{ column.meaning }}</dd>
{% endfor %}
</dl>
{% endif %}
{% if section.folded %}</details>{% else %}</section>{% endif %}

{% endfor %}
</main>
</body>
</html>
"""
