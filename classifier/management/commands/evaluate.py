import json
from argparse import Namespace
from typing import Any

from django.core.management.base import CommandError, CommandParser

from classifier.management.cli import CLICommand, silence_tensorflow
from ml.cli.evaluating import GraphMetrics, evaluate_graph
from ml.cli.flags import add_evaluate_flags
from ml.errors import UserError
from poetsweb.folders import ML


class Command(CLICommand):
    help = "Measure the accuracy of a graph on the test pictures of a folder, like evaluate.py of TensorFlow for Poets."

    def add_arguments(self, parser: CommandParser) -> None:
        add_evaluate_flags(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        silence_tensorflow()
        options["graph"] = options["named"] or options["graph"]
        try:
            result = evaluate_graph(Namespace(**options), ML.for_command_line(), self.console)
        except UserError as error:
            raise CommandError(str(error)) from None
        self._print_json(result) if options["json"] else self._print(result)

    def _print(self, result: GraphMetrics) -> None:
        low, high = result.interval
        self.stdout.write(f"Accuracy: {result.accuracy:.4f} (N={result.pictures}, 95% from {low:.4f} to {high:.4f})")
        self.stdout.write(f"Cross Entropy: {result.cross_entropy:.6f}")

    def _print_json(self, result: GraphMetrics) -> None:
        said = {
            "accuracy": round(result.accuracy, 6),
            "n": result.pictures,
            "interval": [round(bound, 6) for bound in result.interval],
            "cross_entropy": round(result.cross_entropy, 6),
        }
        self.stdout.write(json.dumps(said))
