"""What a campaign shows while it runs, and at its end."""

from collections import Counter

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table


class Screen:
    """Standard output: a live table where it is a terminal, a line for each run where it is not."""

    def __init__(self, runs):
        self._runs = runs
        self._console = Console(highlight=False)
        self._results = []
        self._seed = None
        self._live = Live(self, console=self._console, refresh_per_second=4, transient=True)

    def __enter__(self):
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_):
        if self._console.is_terminal:
            self._live.stop()

    def __rich__(self):
        failed = [result for result in self._results if result.wrong]
        table = Table("run", "seed", "ok", "failed", "messages", "faults")
        table.add_row(
            f"{min(len(self._results) + 1, self._runs)} of {self._runs}",
            str(self._seed),
            str(len(self._results) - len(failed)),
            f"[red]{len(failed)}" if failed else "0",
            str(_total(self._results, "sent").total()),
            str(_total(self._results, "faults").total()),
        )
        return Group(table)

    def begin(self, seed):
        """A run begins."""
        self._seed = seed

    def end(self, result, folder):
        """A run has ended; the folder is what is kept of one that failed."""
        self._results.append(result)
        verdict = "[red]failed[/red]" if result.wrong else "ok"
        self._console.print(
            f"run {len(self._results)}, seed {result.seed}: {verdict}, {result.sent.total()} messages, "
            f"{result.faults.total()} faults, {result.seconds:.0f} s, {result.settling:.0f} of them to settle"
        )
        for line in result.wrong[:20]:
            self._console.print(f"  {line}", markup=False, soft_wrap=True)
        if result.wrong:
            self._console.print(f"  kept in {folder}; again: make faults SEED={result.seed}", soft_wrap=True)

    def table(self):
        """All in all; returns whether all is well."""
        failed = [result for result in self._results if result.wrong]
        table = Table("what", "how often", title=f"{len(self._results)} runs")
        for name, attribute in (
            ("messages", "sent"),
            ("faults", "faults"),
            ("datagrams", "datagrams"),
            ("copies", "outcomes"),
        ):
            table.add_section()
            total = _total(self._results, attribute)
            for kind in sorted(total):
                table.add_row(f"{name}: {kind}", f"{total[kind]:,}")
        self._console.print(table)
        lines = [line for result in failed for line in result.wrong]
        lost = sum(line.startswith(("lost", "report lost")) for line in lines)
        doubled = sum(line.startswith("doubled") for line in lines)
        self._console.print(
            f"{len(self._results) - len(failed)} of {len(self._results)} runs ok; {lost} lost, {doubled} doubled",
            style="red" if failed else "green",
        )
        for result in failed:
            self._console.print(f"again: make faults SEED={result.seed}")
        return not failed


def _total(results, attribute):
    total = Counter()
    for result in results:
        total.update(getattr(result, attribute))
    return total
