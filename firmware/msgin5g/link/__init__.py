# Links: the only place of the firmware that touches a socket, a UART or a radio.
#
# A link drives one CoAP endpoint. All have the same shape, so that whoever uses one need not know which it is:
#
#     link = UdpLink(endpoint)            or SerialLink(endpoint, stream), EspNowLink(endpoint)
#     link.most_octets                    the longest datagram that it carries
#     link.szx                            the largest CoAP block that fits into one, as the SZX of RFC 7959
#     address = link.resolve(host, port)  where datagrams go, and how those from there are reported to the endpoint
#     address = link.broadcast(port)      everybody in reach: for finding a gateway (TS 23.554, 8.2.8)
#     link.connect(address)               nobody else is spoken to from here on; None: everybody again
#     link.now()                          ticks, for calls into the endpoint
#     link.start()                        from here on it receives, and the endpoint's timers fire
#     link.flush()                        to be called after every call into the endpoint: sends what it has made
#     link.close()
#     link.before_send                    called before anything is sent, store.commit for example: what is told to
#                                         others is durable first. When it raises nothing is sent, the datagrams are
#                                         lost as on the way, and on_error gets the exception.
#     link.on_renewed                     called when the peer may see this side at another address from now on
#     link.on_error(exception)            nobody has caught it. It never ends a link.
#     link.errors, link.oversized         datagrams that were not sent, and those received that were too long
#
# On a serial line and by radio resolve() does not need a port, and connect() is for what can be chosen.
