"""Headers that keep a browser from taking an answer for something else, or from showing it in a frame."""

SAFETY = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
}
