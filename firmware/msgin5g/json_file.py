# A JSON object in a file that somebody has written: what is wrong with it is said, and how to come to a right one.
# Loaded when there is one to read.

import json


def read(file, mistake, way_out, missing=None):
    # Raises mistake, or missing when there is no file; their args[0] names it.
    try:
        with open(file) as opened:
            found = json.load(opened)
    except OSError:
        raise (missing or mistake)("there is no file %s: %s" % (file, way_out))
    except ValueError:
        raise mistake("%s is not JSON: %s" % (file, way_out))
    if not isinstance(found, dict):
        raise mistake("%s is no JSON object: %s" % (file, way_out))
    return found
