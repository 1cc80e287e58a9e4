"""How good the finders are: what people said of the alarms of each detector and of the devices."""
