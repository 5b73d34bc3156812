# Other clients break on chunks and get one message.
client python-0.8.1
limit chunk_bytes 150
connect
modify 0 1: +0 a:b {}
    add 0 a.js:b {} journal None
    want wave
wave begins
    yes
wave ends at 5: 0="äöü"
    -> Transition 0/0/0 to 1/0/5: 0="\u00e4\u00f6\u00fc"
