"""The web application: what is answered to which request. Its server is in `server.py`."""

from __future__ import annotations

import base64
import io
import logging
from typing import TYPE_CHECKING, Any

import flask
from werkzeug import exceptions

from ugatit_tf.images.errors import UnreadableImage
from ugatit_tf.lazy import tf
from ugatit_tf.serving import address, page, translation
from ugatit_tf.serving.options import ServeOptions
from ugatit_tf.serving.worker import Abandoned, Busy, Stopped, Worker

if TYPE_CHECKING:
    from ugatit_tf.translation.translator import Translator

FIELD = "image"  # of a form
FORM_BYTES = 2**16  # of a form around its image
BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
PARAMETERS = ("direction", "heatmap")
ANSWERS = ("image/png", "application/json")
SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' blob: data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
SENTENCES = {  # in place of werkzeug's, which name causes that are none here
    404: "There is nothing at this address. The page is at /, the service at /api/translate.",
    405: "This address does not take this method. See the header Allow.",
    500: "The server could not do this. Its terminal says why.",
}


class Request(flask.Request):
    """A request whose uploads stay in memory."""

    def _get_file_stream(self, *_: Any, **__: Any) -> io.BytesIO:
        return io.BytesIO()


class Application(flask.Flask):
    request_class = Request


def create(translator: Translator, worker: Worker, options: ServeOptions) -> flask.Flask:
    """The application that translates with `translator`, in the thread of `worker`."""
    app = Application(__name__, static_folder=None, template_folder=None)
    for limit in ("MAX_CONTENT_LENGTH", "MAX_FORM_MEMORY_SIZE"):
        app.config[limit] = options.max_upload_bytes + FORM_BYTES
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False  # no other site may ask what it may do
    app.json.sort_keys = False
    app.url_map.merge_slashes = False
    app.before_request(lambda: _refuse_other_sites(options.host))
    app.after_request(_with_headers)
    app.register_error_handler(exceptions.HTTPException, _as_json)
    app.register_error_handler(Exception, _unexpected)

    described = page.description(translator, options)
    for name, path in page.files().items():
        _add_file(app, name, path)
    app.add_url_rule("/api/model", "model", lambda: described)
    app.add_url_rule("/config.json", "config", lambda: page.config(described))
    app.add_url_rule("/healthz", "health", lambda: {"status": "ok"})
    app.add_url_rule(
        "/api/translate",
        "translate",
        lambda: _translate(translator, worker, options),
        methods=["POST"],
    )
    return app


def _add_file(app, name, path):
    def send():
        with open(path, "rb") as file:
            return flask.Response(file.read(), mimetype=page.type_of(path))

    if name != "config.json":  # which would be of another page, without a server
        app.add_url_rule("/" if name == page.INDEX else f"/{name}", f"file {name}", send)


def _translate(translator, worker, options):
    direction, heatmap = _asked(translator)
    as_json = _wants_json(heatmap)
    image = _image(options)
    is_gone = flask.request.environ.get("waitress.client_disconnected", lambda: False)
    try:
        done = worker.do(
            lambda: translation.translate(translator, image, direction, heatmap=heatmap),
            lambda: not is_gone(),
        )
    except UnreadableImage as error:
        raise exceptions.BadRequest(_sentence(error.reason)) from None
    except Busy as error:
        raise exceptions.ServiceUnavailable(
            "Too many images wait for their translation. Try again in a moment.",
            retry_after=error.seconds,
        ) from None
    except (Stopped, Abandoned):
        raise exceptions.ServiceUnavailable("The server is stopping.") from None
    except (MemoryError, tf.errors.ResourceExhaustedError):
        raise exceptions.ServiceUnavailable(
            "There is not enough memory for this image now. Try a smaller one.", retry_after=1
        ) from None
    if not as_json:
        return flask.Response(done.image, mimetype="image/png")
    return {
        "image": _text(done.image),
        "heatmap": None if done.heatmap is None else _text(done.heatmap),
        "width": done.width,
        "height": done.height,
        "direction": direction,
        "seconds": round(done.seconds, 3),
    }


def _asked(translator):
    """(direction, whether a heatmap is wanted), from the address."""
    given = flask.request.args
    unknown = [name for name in given if name not in PARAMETERS]
    if unknown:
        raise exceptions.BadRequest(
            f"The address has the unknown parameter {unknown[0]!r:.50}. "
            f"Expected {' or '.join(PARAMETERS)}."
        )
    direction = given.get("direction") or translator.known_direction()
    if direction not in translator.directions:
        raise exceptions.BadRequest(
            f"direction must be {' or '.join(translator.directions)}. Received: {direction!r:.50}"
        )
    heatmap = given.get("heatmap", "false")
    if heatmap.lower() not in BOOLEANS:
        raise exceptions.BadRequest(f"heatmap must be true or false. Received: {heatmap!r:.50}")
    heatmap = BOOLEANS[heatmap.lower()]
    if heatmap and not translator.has_heatmap:
        raise exceptions.BadRequest("This model has no heatmaps. Leave out heatmap=true.")
    return direction, heatmap


def _wants_json(heatmap):
    chosen = flask.request.accept_mimetypes.best_match(ANSWERS, default=None)
    if chosen is None and flask.request.accept_mimetypes:
        raise exceptions.NotAcceptable(
            f"The answer can be {' or '.join(ANSWERS)}; the header Accept allows neither."
        )
    if heatmap and chosen != "application/json":
        raise exceptions.BadRequest(
            "A PNG has no place for a heatmap. Send the header Accept: application/json too."
        )
    return chosen == "application/json"


def _image(options):
    """The image of the request, as far as its start can say that it is one."""
    try:
        content = _content()
    except exceptions.RequestEntityTooLarge:  # it was not even read
        content = None
    if content is None or len(content) > options.max_upload_bytes:
        raise exceptions.RequestEntityTooLarge(
            f"The image file has more than {options.max_upload_mb} megabytes."
        )
    try:
        return translation.as_image(content, options.max_pixels)
    except translation.TooLarge as error:
        raise exceptions.RequestEntityTooLarge(_sentence(error)) from None
    except UnreadableImage as error:
        raise exceptions.BadRequest(_sentence(error.reason)) from None


def _content() -> bytes:
    request = flask.request
    if request.mimetype.startswith("image/"):
        return request.get_data(cache=False)
    if request.mimetype == "multipart/form-data":
        files = request.files.getlist(FIELD)
        if len(files) != 1:
            raise exceptions.BadRequest(
                f"The form must have one file {FIELD!r}. Received: {len(files)}"
            )
        return files[0].read()
    raise exceptions.UnsupportedMediaType(
        "Expected an image file as the body, with a header such as Content-Type: image/jpeg, or "
        f"a form (multipart/form-data) with a file {FIELD!r}. "
        f"Received: {request.mimetype[:50] or 'no Content-Type'}"
    )


def _refuse_other_sites(host):
    """Refuses what a page of another site asks of a browser that can reach this server."""
    headers = flask.request.headers
    if not address.is_own_name(flask.request.environ.get("HTTP_HOST"), host):
        raise exceptions.Forbidden(
            "The header Host names another computer. Expected localhost, a number such as "
            "127.0.0.1, or the name in --host."
        )
    if flask.request.method != "GET" and headers.get("Sec-Fetch-Site", "none") not in (
        "none",
        "same-origin",
    ):
        raise exceptions.Forbidden("Pages of other sites cannot use this server.")


def _with_headers(response):
    response.headers.update(HEADERS)
    return response


def _as_json(error):
    response = error.get_response()  # with the headers of its kind, as Allow and Retry-After
    sentence = SENTENCES.get(error.code) or error.description
    response.data = flask.json.dumps({"error": sentence})
    response.content_type = "application/json"
    return response


def _unexpected(error):
    logging.error("A request failed", exc_info=error)
    return _as_json(exceptions.InternalServerError())


def _sentence(reason) -> str:
    text = str(reason)
    return f"{text[:1].upper()}{text[1:]}."


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")
