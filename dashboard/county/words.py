"""What the overview says of a county that begins."""

from collections.abc import Mapping
from enum import StrEnum

from protocol.texts import N_


class Begin(StrEnum):
    """The steps of a county's first hour, in their order."""

    PLACES = "places"
    PEOPLE = "people"
    DEVICES = "devices"
    HEARD = "heard"
    STAFF = "staff"


BEGIN: Mapping[StrEnum, str] = {
    Begin.PLACES: N_("Record operators and places"),
    Begin.PEOPLE: N_("Record who lives there"),
    Begin.DEVICES: N_("Connect gateways and devices"),
    Begin.HEARD: N_("Try one device: press an SOS button"),
    Begin.STAFF: N_("Give the people on duty their accounts"),
}
BEGIN_HOW: Mapping[StrEnum, str] = {
    Begin.PLACES: N_("On the machine of the centre, one command for each home, day centre or household:"),
    Begin.PEOPLE: N_("With room and bed, so that whoever runs knows where to:"),
    Begin.DEVICES: N_(
        "Make a pairing code on the page of devices and give it to the box in the home; what it hears is "
        "proposed there. A device without a gateway is recorded by command:"
    ),
    Begin.HEARD: N_("The alarm must be on the desk within a second, with person and room."),
    Begin.STAFF: N_("Each with their own name and password; they see their own places only:"),
}
