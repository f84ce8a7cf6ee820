# Joining Wi-Fi networks and staying there, with a faked radio and a clock of the test's.

from msgin5g.board.wifi import Wifi
from msgin5g_testing import network


class Radio:
    def __init__(self, networks, air):
        self.time = 0
        self.said = []
        network.air.clear()
        network.air.update(air)
        network.refresh = None
        network.now = lambda: self.time
        network.delay = 300
        self.wlan = network.WLAN(network.STA_IF)
        self.wifi = Wifi(self.wlan, networks, network, lambda up, text: self.said.append((up, text)))

    def run(self, milliseconds):
        end = self.time + milliseconds
        while self.time < end:
            self.wifi.step(self.time)
            self.time += 100
        return self.wifi.up


def test_it_joins_and_says_so_once():
    radio = Radio([["home", "secret"]], {"home": "secret"})
    assert radio.run(1000)
    assert radio.said == [(True, "in home as 127.0.0.1")]
    assert radio.wifi.cause is None


def test_a_wrong_password_is_named():
    radio = Radio([["home", "wrong"]], {"home": "secret"})
    assert not radio.run(1000)
    assert radio.said[0] == (False, "home: wrong password")
    assert radio.wifi.cause == "home: wrong password"


def test_a_network_that_is_not_there_is_named_and_the_next_one_taken():
    radio = Radio([["gone", "x"], ["home", "secret"]], {"home": "secret"})
    assert radio.run(2000)
    assert radio.said == [(False, "gone: not there"), (True, "in home as 127.0.0.1")]


def test_pauses_double_up_to_a_minute():
    radio = Radio([["gone", "x"]], {})
    attempts = []
    connect = radio.wlan.connect

    def counted(name, password):
        attempts.append(radio.time)
        connect(name, password)

    radio.wlan.connect = counted
    radio.run(400000)
    gaps = [later - earlier for earlier, later in zip(attempts, attempts[1:])]
    assert gaps[0] < gaps[1] < gaps[2] < gaps[3] < gaps[4]
    assert 60000 <= gaps[-1] <= 61000


def test_a_lost_network_is_joined_again_at_once():
    radio = Radio([["home", "secret"]], {"home": "secret"})
    radio.run(1000)
    del network.air["home"]
    assert not radio.run(1000)
    network.air["home"] = "secret"
    assert radio.run(3000)
    assert [up for up, text in radio.said] == [True, False, False, True]
    assert radio.said[1] == (False, "home is lost")
    assert radio.wifi.failures == 0


def test_a_network_that_never_answers_is_given_up():
    radio = Radio([["home", "secret"]], {"home": "secret"})
    network.delay = 10**9
    assert not radio.run(21000)
    assert radio.said[0] == (False, "home: no answer")


def test_a_driver_that_refuses_is_no_end():
    radio = Radio([["home", "secret"]], {"home": "secret"})
    connect = radio.wlan.connect

    def refuse(name, password):
        radio.wlan.connect = connect
        raise OSError(16)

    radio.wlan.connect = refuse
    assert radio.run(5000)
    assert not radio.said[0][0] and radio.said[0][1].startswith("home: could not be joined")
