"""The demo's prompts, in the order of the captions: person count, names, then general tags (paper, section 3.1)."""

SEEDS = (1001, 1002)

# What the prompts of the fixed-characteristics poll show beside the character: the name alone must carry the identity.
FIXED = (
    ("solo", "smile", "closed_mouth", "white_background"),
    ("solo", "open_mouth", "smile", "blue_background"),
)

FREE = (
    "1girl, solo, pink hair, twintails, blunt bangs, blue eyes, smile, open mouth, white background",
    "1girl, solo, blonde hair, long hair, wavy hair, green eyes, grin, blue background",
    "1girl, solo, black hair, medium hair, bob cut, red eyes, closed mouth, smile, pink background",
    "1girl, solo, aqua hair, very long hair, wavy hair, purple eyes, one eye closed, yellow background",
    "1girl, solo, red hair, long hair, ponytail, glasses, closed mouth, smile, grey background",
    "1girl, solo, purple hair, double bun, brown eyes, tongue out, green background",
    "1girl, solo, green hair, short hair, blunt bangs, sunglasses, grin, white background",
    "1girl, solo, grey hair, single hair bun, blunt bangs, blue eyes, red lips, purple background",
    "1girl, solo, brown hair, long hair, braid, closed eyes, smile, yellow background",
    "1girl, solo, blue hair, big hair, curly hair, dark skin, open mouth, smile, white background",
    "1girl, solo, blonde hair, medium hair, wavy hair, hair flower, sparkling eyes, pink background",
    "1girl, solo, black hair, long hair, blunt bangs, head wreath, green eyes, blush, blue background",
    "1girl, solo, pink hair, long hair, hair over one eye, pale skin, frown, grey background",
    "1boy, solo, brown hair, short hair, spiked hair, blue eyes, grin, green background",
    "1boy, solo, red hair, mohawk, sunglasses, clenched teeth, yellow background",
    "1boy, solo, black hair, short hair, curly hair, brown eyes, facial hair, mustache, white background",
    "1boy, solo, blonde hair, very short hair, glasses, closed mouth, smile, blue background",
    "1boy, solo, aqua hair, short hair, wavy hair, tan, half-closed eyes, purple background",
    "1boy, solo, grey hair, short hair, topknot, red eyes, closed mouth, frown, pink background",
    "1boy, solo, purple hair, short hair, dreadlocks, dark skin, tongue out, green background",
)

FFA = (
    "1girl, solo, red hair, twintails, green eyes, open mouth, smile, blue background",
    "1girl, solo, blue hair, long hair, blunt bangs, brown eyes, closed mouth, smile, white background",
    "1girl, solo, blonde hair, double bun, glasses, red-framed eyewear, grin, pink background",
    "1girl, solo, purple hair, medium hair, half updo, blue eyes, blush, yellow background",
    "1girl, solo, black hair, low twintails, swept bangs, sparkling eyes, smile, grey background",
    "1girl, solo, green hair, long hair, wavy hair, dark skin, earrings, purple background",
    "1girl, solo, pink hair, short hair, swept bangs, one eye closed, tongue out, green background",
    "1girl, solo, brown hair, long hair, ponytail, pale skin, closed eyes, smile, white background",
    "1boy, solo, blue hair, short hair, spiked hair, red eyes, open mouth, smile, white background",
    "1boy, solo, green hair, short hair, curly hair, glasses, closed mouth, smile, yellow background",
    "1boy, solo, pink hair, mohawk, tan, clenched teeth, blue background",
    "1boy, solo, brown hair, short hair, hair between eyes, purple eyes, frown, grey background",
)
