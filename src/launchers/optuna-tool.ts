/**
 * What the optuna launcher asks of Python: `create DIRECTION…` the study, once; `await SECONDS` until the head has made it;
 * `dashboard PORT`; `driver` prints the dialect by which SQLAlchemy reaches PostgreSQL here; `finished RANK` and `all-finished COUNT`
 * tell the head's database which nodes have finished. Storage and study come from the environment: a URI holds a password.
 */
export const OPTUNA_TOOL = `"""Makes and finds the study of a job. Made by Drover."""
import os
import sys
import time


def say(text):
    print("drover: launcher optuna: " + text, file=sys.stderr, flush=True)


def hidden(error, uri):
    """An error's last line, without the storage's password."""
    import re

    lines = str(error).strip().splitlines() or [""]
    password = re.search(r"://[^:/@]*:([^@]*)@", uri)
    text = "%s: %s" % (type(error).__name__, lines[0])
    return text.replace(password.group(1), "***") if password and password.group(1) else text


def attempt(what, action, seconds, uri):
    """Two nodes that meet a new database at one moment both make its tables, and one of them fails: it tries again."""
    deadline = time.time() + seconds
    while True:
        try:
            return action()
        except Exception as error:
            if time.time() > deadline:
                say("cannot %s: %s" % (what, hidden(error, uri)))
                sys.exit(1)
            time.sleep(0.5)


def main(command, *words):
    if command == "driver":
        for name in "psycopg", "psycopg2":
            try:
                __import__(name)
                print("postgresql+" + name)
                return
            except ImportError:
                continue
        sys.exit(1)
    uri, name = os.environ.get("OPTUNA_STORAGE", ""), os.environ.get("OPTUNA_STUDY_NAME", "")
    if command == "dashboard":
        try:
            import optuna_dashboard
        except ImportError:
            say("there is no optuna-dashboard; install it in setup")
            sys.exit(1)
        import optuna

        optuna_dashboard.run_server(optuna.storages.get_storage(uri), host="127.0.0.1", port=int(words[0]))
        return
    if command in ("finished", "all-finished"):
        import sqlalchemy

        with sqlalchemy.create_engine(uri).begin() as connection:
            if command == "finished":
                connection.execute(sqlalchemy.text("INSERT INTO drover_finished VALUES (%d)" % int(words[0])))
                return
            count = connection.execute(sqlalchemy.text("SELECT count(DISTINCT node) FROM drover_finished")).scalar()
            sys.exit(0 if count >= int(words[0]) else 1)
    if command == "table":
        import sqlalchemy

        def create_table():
            with sqlalchemy.create_engine(uri).begin() as connection:
                connection.execute(sqlalchemy.text("CREATE TABLE IF NOT EXISTS drover_finished (node INTEGER)"))
                connection.execute(sqlalchemy.text("DELETE FROM drover_finished"))

        attempt("reach the PostgreSQL of this job", create_table, 30, uri)
        return
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    if command == "create":
        attempt(
            "make study %r" % name,
            lambda: optuna.create_study(study_name=name, storage=uri, directions=list(words), load_if_exists=True),
            20,
            uri,
        )
    else:
        attempt("find study %r" % name, lambda: optuna.load_study(study_name=name, storage=uri), float(words[0]), uri)


main(*sys.argv[1:])
`
