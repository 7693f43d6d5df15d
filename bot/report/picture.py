"""The picture of an incident: lanes for the application and for each step, and its turning points as labelled dots.

Only where things stand is decided here, in units of the picture (1 unit = 1 pixel at full width); the template draws it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot.model.event import Entry, Kind
from bot.report.chronicle import Milestone, happened_at, milestones_of
from bot.report.facts import Facts
from bot.report.figures import DownSpan
from bot.report.reading import read
from bot.report.scale import Scale, scale_of
from bot.report.stopped import no_verdict_yet
from bot.report.visible import visible
from bot.report.wording import counted, duration_words

WIDTH = 1180
LEFT, RIGHT = 128, 990  # room for the lane names, and for the label of the last dot
LABEL_HEIGHT = 17
LANE_HEIGHT = 20
CHAR_WIDTH = 6.5  # of the 12-unit sans serif face, an average that errs on the wide side
NARROWEST = 4.0  # a bar that is shorter could not be seen

STEPS = {
    1: "assess",
    2: "freeze",
    3: "choose backup",
    4: "safety backup",
    5: "restore",
    6: "align migrations",
    7: "corrected",
    8: "verify data",
    9: "test the app",
    10: "reopen, watch",
}
STEP_OF = {
    Kind.ASSESSED: 1,
    Kind.FROZEN: 2,
    Kind.BACKUPS_LISTED: 3,
    Kind.BACKUP_INSPECTED: 3,
    Kind.SAFETY_MADE: 4,
    Kind.PLAN_MADE: 5,
    Kind.REHEARSED: 5,
    Kind.APPROVED: 5,
    Kind.CUTOVER_INTENT: 5,
    Kind.CUTOVER_DONE: 5,
    Kind.UNDO_DONE: 5,
    Kind.ALIGNED: 6,
    Kind.CORRECTED_PROPOSED: 7,
    Kind.CORRECTED_REHEARSED: 7,
    Kind.CORRECTED_DONE: 7,
    Kind.DATA_CHECKED: 8,
    Kind.APP_TESTED: 9,
    Kind.REOPENED: 10,
    Kind.WATCH: 10,
    Kind.WATCH_ENDED: 10,
}
STEP_KINDS = (Kind.STEP_STARTED, Kind.STEP_DONE, Kind.STEP_FAILED, Kind.STEP_UNKNOWN)
SHORT = {
    Kind.INCIDENT_OPENED: "incident opened",
    Kind.ASSESSED: "damage assessed",
    Kind.FROZEN: "maintenance on",
    Kind.FREEZE_BROKEN: "freeze broken",
    Kind.SAFETY_MADE: "safety backup",
    Kind.REHEARSED: "rehearsed",
    Kind.APPROVED: "approved",
    Kind.CUTOVER_DONE: "database restored",
    Kind.CUTOVER_UNKNOWN: "cut-over unknown",
    Kind.UNDO_DONE: "undone",
    Kind.CORRECTED_REHEARSED: "corrected rehearsed",
    Kind.CORRECTED_DONE: "corrected deployed",
    Kind.DATA_CHECKED: "data verified",
    Kind.APP_TESTED: "application tested",
    Kind.REOPENED: "back online",
    Kind.WATCH_ENDED: "log watch ended",
    Kind.ESCALATED: "help called",
    Kind.ACKNOWLEDGED: "call answered",
    Kind.INCIDENT_CLOSED: "incident closed",
}
SHORT_NO = {
    Kind.FROZEN: "maintenance on, not proven",
    Kind.REHEARSED: "rehearsal did not prove it",
    Kind.CORRECTED_REHEARSED: "corrected one stopped",
    Kind.DATA_CHECKED: "data checks failed",
    Kind.APP_TESTED: "application test failed",
}
BAD = {Kind.FREEZE_BROKEN, Kind.CUTOVER_UNKNOWN, Kind.UNDO_DONE, Kind.ESCALATED}
GOOD = {Kind.REOPENED, Kind.CUTOVER_DONE, Kind.CORRECTED_DONE}


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A bar in a lane. `tone` is `up`, `down` or `step`; `label` stands in it or right of it."""

    x: float
    width: float
    tone: str
    label: str = ""
    inside: bool = False


@dataclass(frozen=True, kw_only=True)
class Lane:
    """A named row of bars at height `y`."""

    name: str
    y: float
    bars: tuple[Bar, ...]


@dataclass(frozen=True, kw_only=True)
class Dot:
    """A turning point on the line of events, with its label at height `label_y` and a leader between them."""

    x: float
    label_y: float
    label: str
    tone: str


@dataclass(frozen=True, kw_only=True)
class Tick:
    """A time on the axis."""

    x: float
    label: str


@dataclass(frozen=True, kw_only=True)
class Picture:
    """The whole picture. `breaks` are where the axis leaves time out; `words` tell the picture to who cannot see it."""

    width: int
    height: float
    left: int
    right: int
    events_y: float
    lanes: tuple[Lane, ...]
    dots: tuple[Dot, ...]
    ticks: tuple[Tick, ...]
    breaks: tuple[Tick, ...]
    axis_y: float
    title: str
    words: str


def picture_of(facts: Facts) -> Picture:
    """Return the picture of the incident as far as it has gone."""
    shown = tuple(item for item in milestones_of(facts) if item.entry is None or item.entry.kind in SHORT)
    scale = scale_of(_times(facts, shown), LEFT, RIGHT)
    dots, events_y = _dots(facts, shown, scale)
    lanes = _lanes(facts, scale, events_y + 22)
    axis_y = lanes[-1].y + LANE_HEIGHT + 8
    return Picture(
        width=WIDTH,
        height=axis_y + 34,
        left=LEFT,
        right=RIGHT,
        events_y=events_y,
        lanes=lanes,
        dots=dots,
        ticks=tuple(Tick(x=scale.x(at), label=facts.zone.minute(at)) for at in scale.ticks(facts.zone.zone)),
        breaks=tuple(Tick(x=x, label=f"{duration_words(length)} left out") for x, length in scale.breaks()),
        axis_y=axis_y,
        title=f"The incident on {visible(facts.site)} in time",
        words=_words(facts, shown),
    )


def _times(facts: Facts, shown: tuple[Milestone, ...]) -> list[datetime]:
    """Return every time that the picture must show."""
    times = [item.at for item in shown]
    times += [at for span in facts.figures.down for at in (span.start, span.end)]
    times += [at for bars in _step_spans(facts).values() for span in bars for at in span]
    return times or [facts.now]


def _dots(facts: Facts, shown: tuple[Milestone, ...], scale: Scale) -> tuple[tuple[Dot, ...], float]:
    """Return the dots with their labels, and the height of the line of events.

    From the right to the left each label takes the lowest row that is above every label it reaches over. So no two
    labels overlap, and no leader runs through a label: what is above a leader's top began left of it.
    """
    rows: list[tuple[float, int]] = []
    placed: list[tuple[float, int, Milestone, str]] = []
    for item in reversed(shown):
        label = f"{facts.zone.short(item.at)} {_short(item)}"
        x = scale.x(item.at)
        reach = x + len(label) * CHAR_WIDTH + 10
        row = 1 + max((above for other, above in rows if other < reach), default=-1)
        rows.append((x, row))
        placed.append((x, row, item, label))
    events_y = 26 + LABEL_HEIGHT * (1 + max((row for _, row in rows), default=0))
    dots = [
        Dot(x=x, label_y=events_y - 16 - row * LABEL_HEIGHT, label=label, tone=_tone(item))
        for x, row, item, label in reversed(placed)
    ]
    return tuple(dots), events_y


def _short(item: Milestone) -> str:
    if item.entry is None:
        return "migration deployed"
    if item.label == "Freeze proven":
        return "freeze proven"
    kind = item.entry.kind
    return SHORT_NO.get(kind, SHORT[kind]) if _said_no(item.entry) else SHORT[kind]


def _tone(item: Milestone) -> str:
    if item.entry is None or item.entry.kind in BAD or _said_no(item.entry):
        return "bad"
    return "good" if item.entry.kind in GOOD else "plain"


def _said_no(entry: Entry) -> bool:
    data = read(entry)
    return data.flag("passed") is False or (data.flag("proven") is False and not no_verdict_yet(data))


def _lanes(facts: Facts, scale: Scale, y: float) -> tuple[Lane, ...]:
    lanes = [Lane(name="application", y=y, bars=_application(facts, scale))]
    for step, spans in sorted(_step_spans(facts).items()):
        bars = _roomy([_bar(scale, start, end, "step", _length(start, end)) for start, end in spans])
        name = f"{step} {STEPS[step]}"
        lanes.append(Lane(name=name, y=y + 6 + LANE_HEIGHT * len(lanes), bars=bars))
    return tuple(lanes)


def _application(facts: Facts, scale: Scale) -> tuple[Bar, ...]:
    """Return the stretches up and down, in order, over the whole width."""
    bars = []
    at = scale.first
    for span in facts.figures.down:
        bars.append(_bar(scale, at, span.start, "up", "up"))
        bars.append(_bar(scale, span.start, span.end, "down", _down_label(span)))
        at = span.end
    if not facts.figures.is_down:
        bars.append(_bar(scale, at, scale.last, "up", "up"))
    return tuple(bar for bar in bars if bar.width > 0)


def _down_label(span: DownSpan) -> str:
    least = "" if span.ended else "at least "
    return f"down {least}{duration_words(span.end - span.start)}"


def _length(start: datetime, end: datetime) -> str:
    return duration_words(end - start) if end - start >= timedelta(seconds=1) else ""


def _bar(scale: Scale, start: datetime, end: datetime, tone: str, label: str) -> Bar:
    x, right = scale.x(start), scale.x(end)
    width = right - x if tone == "up" else max(right - x, NARROWEST)
    fits = len(label) * CHAR_WIDTH + 8 <= width
    return Bar(x=x, width=width, tone=tone, label=label if fits or tone == "step" else "", inside=fits)


def _roomy(bars: list[Bar]) -> tuple[Bar, ...]:
    """Return the bars of a lane, without those labels that would run into the next bar."""
    nexts = [bar.x for bar in bars[1:]] + [float(WIDTH)]
    return tuple(
        replace(bar, label="")
        if not bar.inside and bar.x + bar.width + 8 + len(bar.label) * CHAR_WIDTH > following
        else bar
        for bar, following in zip(bars, nexts[: len(bars)], strict=True)
    )


def _step_spans(facts: Facts) -> dict[int, list[tuple[datetime, datetime]]]:
    """Return when work on each step was done: from its start to its end where both are recorded, else from the first
    to the last entry of its kinds. Stretches that touch are one."""
    spans: dict[int, list[tuple[datetime, datetime]]] = {}
    running: dict[int, datetime] = {}
    for entry in facts.log.of(*STEP_OF, *STEP_KINDS):
        step = _step(entry)
        if step not in STEPS:
            continue
        if entry.kind is Kind.STEP_STARTED:
            running[step] = entry.at
        start = running.get(step, _began(entry))
        if entry.kind in STEP_KINDS and entry.kind is not Kind.STEP_STARTED:
            running.pop(step, None)
        spans.setdefault(step, []).append((min(start, entry.at), entry.at))
    return {step: _merged(found) for step, found in spans.items()}


def _step(entry: Entry) -> int | None:
    """Return the number of the step that an entry belongs to; by number, by name, or by its kind."""
    data = read(entry)
    number = data.whole("step")
    names = {name: known for known, name in STEPS.items()}
    return number or names.get((data.text("step") or "").casefold()) or STEP_OF.get(entry.kind)


def _began(entry: Entry) -> datetime:
    """Return when what an entry records began: by its own time or duration, else at once."""
    if entry.kind in (Kind.FROZEN, Kind.REOPENED):
        return happened_at(entry)
    watched = (read(entry).number("minutes") or 0.0) * 60 if entry.kind is Kind.WATCH_ENDED else 0.0
    seconds = read(entry).number("duration_s") or watched
    return entry.at - timedelta(seconds=min(max(seconds, 0.0), 86_400.0))


def _merged(spans: list[tuple[datetime, datetime]]) -> list[tuple[datetime, datetime]]:
    """Return stretches in order, those that overlap or stand less than two minutes apart as one."""
    merged: list[tuple[datetime, datetime]] = []
    for start, end in sorted(spans):
        if merged and start - merged[-1][1] <= timedelta(minutes=2):
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged


def _words(facts: Facts, shown: tuple[Milestone, ...]) -> str:
    points = ", ".join(f"{facts.zone.short(item.at)} {_short(item)}" for item in shown)
    down = duration_words(facts.figures.downtime) if facts.figures.down else "no recorded time"
    stretches = counted(len(facts.figures.down), "stretch", "stretches")
    return f"The application was down for {down} in {stretches}. Turning points: {points or 'none recorded'}."
