"""Who may speak to a gateway or a server, each by a key of its own: enrolment, revocation, OSCORE contexts."""
