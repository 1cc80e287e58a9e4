"""Pooled models: plain parameters, learnt from many people, that score one.

A model is a frozen dataclass of numbers and arrays. Three functions go with it, kept apart and pure: `fit…`
makes it from a history, a method scores with it, and `storage` turns it into bytes and back, without pickle.
`analytics.versions` keeps the bytes and decides which version is live.
"""
