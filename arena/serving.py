"""Settings of gunicorn: `gunicorn -c python:arena.serving arena.wsgi`. Older versions pass over what they lack."""

# One process keeps SQLite's writers few and memory small; more threads answer while one waits for the database.
workers = 1
threads = 4
# Newer versions would put a control socket into the user's home; nothing of ours belongs there.
control_socket_disable = True
# Printed where `--access-logfile -` asks for it: the request id comes first, as in every other line of the request.
access_log_format = '[%({x-request-id}o)s] "%(m)s %(U)s" %(s)s %(b)s %(M)sms'
