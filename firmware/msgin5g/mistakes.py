# What an application did wrong, said so that it can be mended. Loaded when something was: texts cost no heap before.


def security():
    return ValueError("name its keys (see provisioning.py), or security=NOT_PROTECTED for a lab")


def order(closed):
    return ValueError(
        "closed: make a new Client" if closed else "nobody would hear the answer: register() first"
    )


def recipient(given):
    # given: [(kind, value)]
    if len(given) == 1:
        return ValueError("%r is no Service ID, topic or area" % (given[0][1],))
    text = "name one recipient, not %d: ue, application_server, group, topic or area"
    return ValueError(text % len(given))


def payload(value):
    # Of a number bytes() would make so many zeros.
    return TypeError("a payload is str or bytes, not %s: json.dumps() it" % type(value).__name__)


def both():
    return ValueError("give a payload or a file, not both")


def file(name, error):
    return OSError(error.args[0], "no file to send: " + name)


def clock():
    return ValueError("expires_in needs the time of day: set the clock first")


def priority(value):
    return ValueError("%r is no priority: HIGH, MIDDLE or LOW" % (value,))


def folder(name, error):
    return OSError(error.args[0], "can't keep messages in the folder " + name)


def host(name, error):
    return OSError(error.args[0], "no network, or nobody knows the address of " + name)


def topics(most):
    return ValueError("no more than %d topics: unsubscribe() from one" % most)
