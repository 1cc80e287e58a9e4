"""The box in a home: hears the devices, keeps what they say, delivers it to the centre, sounds the siren."""
