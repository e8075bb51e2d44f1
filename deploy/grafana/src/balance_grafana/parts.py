"""What panels are made of: a query of the database, columns, links."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from textwrap import dedent
from typing import Any, Literal

from grafana_foundation_sdk.builders import common, stat, statushistory, table, timeseries
from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models import common as common_models
from grafana_foundation_sdk.models import dashboard as models

from balance_grafana import meaning

DATASOURCE = models.DataSourceRef(type_val="grafana-postgresql-datasource", uid="balance")
WIDTH = 24
HALF = 12


@dataclass
class SqlQuery(Dataquery):
    """A statement for Grafana's PostgreSQL data source; the SDK has none of its own."""

    sql: str
    shape: Literal["table", "time_series"]
    ref_id: str = "A"

    def to_json(self) -> dict[str, object]:
        """As the data source wants it."""
        return {
            "datasource": DATASOURCE,
            "editorMode": "code",
            "format": self.shape,
            "rawQuery": True,
            "rawSql": self.sql,
            "refId": self.ref_id,
        }


@dataclass
class Sql(Builder[Dataquery]):
    """Builds a SqlQuery; indentation is taken off."""

    text: str
    shape: Literal["table", "time_series"] = "table"
    ref_id: str = "A"

    def build(self) -> SqlQuery:
        """The query."""
        return SqlQuery(dedent(self.text).strip(), self.shape, self.ref_id)


@dataclass(frozen=True)
class Column:
    """How a column of a table (or a series) is shown."""

    name: str
    unit: str | None = None
    decimals: int | None = None
    words: models.ValueMap | None = None
    steps: Sequence[tuple[float | None, str]] = ()
    colour: str | None = None
    link: tuple[str, str] | None = None
    """Title and address."""
    width: int | None = None
    properties: Sequence[tuple[str, Any]] = field(default=())
    """Further (id, value) of Grafana's field configuration."""

    def values(self) -> list[models.DynamicConfigValue]:
        """As overrides of a field."""
        found: list[tuple[str, Any]] = []
        if self.unit is not None:
            found.append(("unit", self.unit))
        if self.decimals is not None:
            found.append(("decimals", self.decimals))
        if self.words is not None:
            found += [("mappings", [self.words]), ("custom.cellOptions", {"type": "color-text"})]
        if self.steps:
            found += [
                ("thresholds", meaning.thresholds(*self.steps).build()),
                ("color", {"mode": "thresholds"}),
                ("custom.cellOptions", {"type": "color-text"}),
            ]
        if self.colour is not None:
            found.append(("color", {"mode": "fixed", "fixedColor": self.colour}))
        if self.link is not None:
            found.append(("links", [{"title": self.link[0], "url": self.link[1]}]))
        if self.width is not None:
            found.append(("custom.width", self.width))
        return [models.DynamicConfigValue(name, value) for name, value in (*found, *self.properties)]


def a_table(title: str, description: str, sql: str, columns: Sequence[Column] = ()) -> table.Panel:
    """Rows as they come, columns that can be filtered."""
    made = (
        table.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .with_target(Sql(sql))
        .filterable(True)
        .no_value("—")
        .height(10)
        .span(WIDTH)
    )
    for column in columns:
        made = made.override_by_name(column.name, column.values())
    return made


def lines(
    title: str, description: str, sql: str, unit: str, columns: Sequence[Column] = ()
) -> timeseries.Panel:
    """Series over time; a gap of data is a gap of the line."""
    made = (
        timeseries.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .with_target(Sql(sql, "time_series"))
        .unit(unit)
        .span_nulls(False)
        .fill_opacity(0)
        .line_width(2)
        .legend(
            common.VizLegendOptions()
            .display_mode(common_models.LegendDisplayMode.LIST)
            .placement(common_models.LegendPlacement.BOTTOM)
            .show_legend(True)
        )
        .tooltip(common.VizTooltipOptions().mode(common_models.TooltipDisplayMode.MULTI))
        .height(9)
        .span(HALF)
    )
    for column in columns:
        made = made.override_by_name(column.name, column.values())
    return made


def bars(
    title: str, description: str, sql: str, unit: str, columns: Sequence[Column] = ()
) -> timeseries.Panel:
    """Stacked bars over time."""
    return (
        lines(title, description, sql, unit, columns)
        .draw_style(common_models.GraphDrawStyle.BARS)
        .stacking(common.StackingConfig().mode(common_models.StackingMode.NORMAL).group("A"))
        .fill_opacity(80)
        .line_width(0)
    )


def figures(title: str, description: str, sql: str, columns: Sequence[Column]) -> stat.Panel:
    """Large numbers, one for each column of a single row."""
    made = (
        stat.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .with_target(Sql(sql))
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).fields("/.*/").values(False))
        .text_mode(common_models.BigValueTextMode.VALUE_AND_NAME)
        .graph_mode(common_models.BigValueGraphMode.NONE)
        .color_mode(common_models.BigValueColorMode.VALUE)
        .no_value("—")
        .height(4)
        .span(WIDTH)
    )
    for column in columns:
        made = made.override_by_name(column.name, column.values())
    return made


def squares(title: str, description: str, sql: str) -> statushistory.Panel:
    """A row a series, a square a day, coloured by the verdict's number."""
    return (
        statushistory.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .with_target(Sql(sql, "time_series"))
        .mappings([meaning.numbered()])
        .color_scheme(builders.FieldColor().mode(models.FieldColorModeId.THRESHOLDS))
        .thresholds(meaning.thresholds((None, meaning.GREY)))
        .show_value(common_models.VisibilityMode.NEVER)
        .row_height(0.9)
        .height(12)
        .span(WIDTH)
    )


def band(lower: str, upper: str) -> tuple[Column, Column]:
    """Two series of a panel of lines as the edges of a shaded band."""
    shade: Sequence[tuple[str, Any]] = (
        ("custom.lineWidth", 0),
        ("custom.fillOpacity", 25),
    )
    return (
        Column(lower, colour=meaning.GREEN, properties=(("custom.lineWidth", 0),)),
        Column(upper, colour=meaning.GREEN, properties=(*shade, ("custom.fillBelowTo", lower))),
    )


def choice(name: str, label: str, description: str, sql: str) -> builders.QueryVariable:
    """A template variable whose values a statement gives."""
    return (
        builders.QueryVariable(name)
        .label(label)
        .description(description)
        .datasource(DATASOURCE)
        .query(dedent(sql).strip())
        .refresh(models.VariableRefresh.ON_DASHBOARD_LOAD)
        .sort(models.VariableSort.DISABLED)
    )


def with_all(variable: builders.QueryVariable) -> builders.QueryVariable:
    """Begins with all values chosen."""
    everything = models.VariableOption(selected=True, text="All", value="$__all")
    return variable.include_all(True).current(everything)


def link(title: str, uid: str) -> builders.DashboardLink:
    """A link to another dashboard that keeps the span of time."""
    return (
        builders.DashboardLink(title)
        .type(models.DashboardLinkType.LINK)
        .url(f"/d/{uid}")
        .keep_time(True)
        .icon("dashboard")
    )


def amount(column: str) -> str:
    """SQL of an amount in the unit people read: m³, kWh, °C."""
    return f"{column} / CASE unit WHEN 'MILLILITRE' THEN 1e6 ELSE 1e3 END::double precision"


SHOWN_UNIT = (
    "CASE unit WHEN 'MILLILITRE' THEN 'm³' WHEN 'WATT_HOUR' THEN 'kWh' "
    "WHEN 'MILLIDEGREE_CELSIUS' THEN '°C' ELSE '' END"
)
"""SQL of that unit."""
