"""The table of accounts: the customers of the tool that bills, with what each source says of them."""

from collections.abc import Sequence

from features.inputs.recipes.identity import Identity
from features.inputs.recipes.kit import Draft, account_part

TODAY = "Attributes are those of today: give their history (valid_from) if they change, above all when customers leave."
CRM_ATTRIBUTES = ("name", "segment", "industry", "region", "csm", "seller", "customer_since")


def accounts_table(drafts: Sequence[Draft], identity: Identity) -> Draft:
    """The customers, with what each source says of them: the CRM before the tool that bills."""
    home = identity.home
    attributes = [draft for draft in drafts if draft.table.startswith("accounts:")]
    names = {f"c{number}": draft for number, draft in enumerate(attributes)}
    joins = "".join(_attributes_joined(name, draft) for name, draft in names.items())
    selected, columns = ["h.account_id"], ["account_id"]
    for column in CRM_ATTRIBUTES:
        cells = [f"{name}.{column}" for name, draft in names.items() if column in draft.columns]
        cells += [f"h.{column}"] if column in home.columns else []
        if cells:
            selected.append(f"{cells[0] if len(cells) == 1 else 'COALESCE(' + ', '.join(cells) + ')'} AS {column}")
            columns.append(column)
    parent = next((name for name, draft in names.items() if "parent" in draft.columns), "")
    if parent:
        kind = account_part(names[parent].table.split(":")[1])
        joins += f"\nLEFT JOIN {{{kind}}} AS p ON p.id = CAST({parent}.parent AS VARCHAR)"
        selected.append("CASE WHEN p.account_id <> h.account_id THEN p.account_id END AS parent_account_id")
        columns.append("parent_account_id")
    listed = [column for column in home.columns if column in CRM_ATTRIBUTES]
    values = "".join(f", arg_min(k.{column}, (k.id, k.{column})) AS {column}" for column in listed)
    query = (
        f"SELECT {', '.join(selected)}\n"
        f"FROM (SELECT a.account_id{values} FROM {{{account_part(home.kind)}}} AS a\n"
        f"      LEFT JOIN {{{home.kind}}} AS k ON k.id = a.id GROUP BY 1) AS h{joins}"
    )
    sheets = (home.sheet, *(sheet for draft in attributes for sheet in draft.sheets))
    why = tuple(reason for draft in attributes for reason in draft.why)
    why += (TODAY,) if len(columns) > 1 else ()
    source = ", ".join(dict.fromkeys([home.source, *(draft.source for draft in attributes)]))
    return Draft("accounts", source, tuple(dict.fromkeys(sheets)), query, tuple(columns), why)


def _attributes_joined(name: str, draft: Draft) -> str:
    """The join with a source's attributes, one row an account."""
    return (
        f"\nLEFT JOIN (SELECT DISTINCT ON (a.account_id) a.account_id, q.* EXCLUDE (id) FROM (\n{draft.query}\n) AS q "
        f"JOIN {{{account_part(draft.table.split(':')[1])}}} AS a ON a.id = q.id\n"
        f"           ORDER BY a.account_id, q.id, CAST(q AS VARCHAR)) AS {name} ON {name}.account_id = h.account_id"
    )
