"""What a monitoring found, in a sentence."""

from mutualctr.monitoring.alarms import crossings
from mutualctr.monitoring.days import Day, Monitored

STATES = {
    "judged": "judged",
    "waiting": "waiting for labels",
    "partly labelled": "partly labelled",
    "too few rows": "too few rows to judge",
    "not scored": "not scored",
}
"""How a state reads, in the order in which they are counted."""


def headline(monitored: Monitored) -> str:
    """How many days are in which state, and what the last one crossed that crossed anything."""
    counts = [
        f"{number} {words}"
        for state, words in STATES.items()
        if (number := sum(day.state == state for day in monitored.days))
    ]
    days = f"{plural(len(monitored.days), 'day')} of {monitored.model}: {', '.join(counts)}"
    found = crossings(monitored.days)
    if not found:
        return f"{days}; no threshold is crossed."
    last = [
        entry for entry in found if (entry.day, entry.model) == (found[-1].day, found[-1].model)
    ]
    over = len({entry.day for entry in found})
    measures = ", ".join(f"{entry.rule} {entry.found}" for entry in last)
    return (
        f"{days}. {plural(over, 'day')} crossed a threshold, last {last[0].day}, scored by "
        f"{last[0].model}: {measures}."
    )


def spoken_state(day: Day) -> str:
    """Of one day, with the share of its labels where that is what matters."""
    words = STATES[day.state]
    if day.state == "partly labelled":
        return f"{words}: {100 * day.rows_matched / day.rows_scored:.1f} %"
    return words


def plural(number: int, noun: str) -> str:
    """1 day, 2 days."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
