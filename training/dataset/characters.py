"""The named characters: original given names with a fixed identity, no two with the same hair."""

from training.dataset.scenes import Identity

CHARACTERS: dict[str, Identity] = {
    "akari": Identity("long15", "red", "light", "green"),
    "aoi": Identity("long01", "blue", "pale", "purple", "glasses"),
    "chiyo": Identity("long08", "black", "light", "brown"),
    "daichi": Identity("short18", "brown", "tan", "green"),
    "emi": Identity("long23", "pink", "pale", "blue", earrings=True),
    "fumi": Identity("long16", "blonde", "light", "blue", "red_glasses"),
    "goro": Identity("short04", "grey", "dark", "brown", detail="mustache"),
    "hana": Identity("long18", "purple", "light", "green"),
    "haruto": Identity("short16", "blonde", "tan", "blue"),
    "ichika": Identity("long19", "aqua", "pale", "red"),
    "jiro": Identity("short15", "green", "light", "brown", "sunglasses"),
    "kaede": Identity("long06", "red", "tan", "green"),
    "kenta": Identity("short03", "black", "dark", "red"),
    "kohaku": Identity("long20", "grey", "pale", "red"),
    "mei": Identity("long22", "pink", "dark", "purple", "sunglasses"),
    "minato": Identity("short02", "aqua", "light", "purple"),
    "nao": Identity("long12", "brown", "pale", "green", detail="blush"),
    "ren": Identity("short06", "purple", "pale", "blue"),
    "riko": Identity("long14", "green", "light", "red", detail="blush"),
    "sora": Identity("long25", "blue", "dark", "blue", earrings=True),
    "suzu": Identity("long11", "grey", "tan", "purple", "red_glasses"),
    "takumi": Identity("short05", "red", "light", "brown", "glasses", detail="mustache"),
    "yui": Identity("long07", "blonde", "dark", "green", earrings=True),
    "yuma": Identity("short07", "pink", "tan", "green", "glasses"),
}

RESERVED_LOOKS = frozenset(identity.look for identity in CHARACTERS.values())
