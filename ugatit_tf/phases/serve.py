"""`--phase serve`: a page in the browser, and a service for programs, on this computer."""

import os
import sys
from typing import TYPE_CHECKING, Union

from ugatit_tf import signals, streams
from ugatit_tf.config import Config
from ugatit_tf.errors import Failure
from ugatit_tf.phases.phase import OF_A_RUN, OVERRIDES, Phase, check_model, load_translator
from ugatit_tf.serving import address, packages
from ugatit_tf.serving.options import ServeOptions

if TYPE_CHECKING:
    from ugatit_tf.translation.translator import Translator

SECONDS_TO_FINISH = 3  # at the end, for the image that is translated just then


def check(config: Union[Config, dict], options: ServeOptions) -> None:
    packages.require()
    check_model(config, options.model, options.which)
    address.check_free(options.host, options.port)


def run(config: Union[Config, dict], options: ServeOptions) -> None:
    from ugatit_tf.serving import translation

    translator = load_translator(config, options.model, options.which)
    translation.warm_up(translator)
    serve(translator, options)


def serve(translator: "Translator", options: ServeOptions) -> None:
    """Serves until a signal ends it, which is its usual end."""
    from ugatit_tf.serving import application
    from ugatit_tf.serving.server import Server
    from ugatit_tf.serving.worker import Worker

    worker = Worker(options.concurrency)
    with address.listening(options.host, options.port) as listener:
        url = address.url_of(listener)
        server = Server(application.create(translator, worker, options), listener, options)
        try:
            server.start()
            print(*_greeting(translator, options, url), sep="\n", flush=True)
            server.wait()
            raise Failure("The server ended by itself. Start it again.")
        except (KeyboardInterrupt, signals.Ended):
            print("Stopping.", flush=True)
        finally:
            is_done = worker.stop(SECONDS_TO_FINISH)
            if is_done:
                server.stop()
    if not is_done:
        # Nothing can interrupt the networks, and Python would wait for their thread. No file is
        # written here, so none is left unfinished.
        streams.flush(sys.stdout)
        streams.flush(sys.stderr)
        os._exit(0)


def _greeting(translator, options, url):
    """What is printed when requests can come."""
    yield f"Serving {translator.source} at {url} until Ctrl-C"
    direction = translator.known_direction()
    yield (
        f"curl -F image=@photo.jpg '{url}/api/translate?direction={direction}' -o translated.png"
    )
    if options.host in address.ANY:
        yield "Everybody who can reach this computer can use it: there is no password."


SERVE = Phase(
    "serve",
    "translate images in the browser, and for programs",
    check,
    run,
    ServeOptions,
    has_run=lambda options: not options.model,
    uses=lambda options: OVERRIDES if options.model else OF_A_RUN,
)
