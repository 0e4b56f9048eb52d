# Runs a Tierkreis worker's main.py once, up to its call of Worker.app, and serves calls from there: each in a forked child that goes on as
# `python main.py <args path>` would have. CPython 3.10 to 3.14, standard library only; nothing of it may be seen by the worker.
#
# Commands come on standard input, events go to standard output, one JSON object a line (see host-protocol.ts):
#   {"op":"call","id":1,"args":"W/-.N1/definition","stdout":path,"stderr":path,"journal":path,"key":"…"}
#   {"op":"kill","id":1,"signal":9}
#   {"ready":pid} | {"refused":"why"} | {"ended":1,"code":0,"word":"ran"} | {"unstarted":1,"why":"…"}
# Begin and end of each call are lines of the run's journal of processes (see call-journal.ts), for a controller that comes later.
import os
import sys

# Stands for the path of a call's arguments until there is a call.
PLACEHOLDER = sys.argv[2]
HOST_FILE = '<worker host>'


def write_all(fd, data):
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view):]


def spool():
    """A file without a name, for what the worker prints while it is imported."""
    if hasattr(os, 'memfd_create'):
        return os.memfd_create('import', os.MFD_CLOEXEC)
    path = '%s/.drover-import-%d' % (os.environ.get('TMPDIR') or '/tmp', os.getpid())
    while True:
        try:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            path += '_'
            continue
        os.unlink(path)
        return fd


def boot_id():
    try:
        with open('/proc/sys/kernel/random/boot_id') as file:
            return file.read().strip()
    except OSError:
        said = os.popen('sysctl -n kern.boottime').read().split(' usec')[0]
        return ''.join(c for c in said if c in '0123456789') or '-'


def start_time():
    try:
        with open('/proc/self/stat', 'rb') as file:
            return file.read().rpartition(b') ')[2].split()[19].decode()
    except OSError:
        return ''.join(os.popen('ps -o lstart= -p %d' % os.getpid()).read().split()) or '-'


def append(path, text):
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        write_all(fd, text.encode())
    finally:
        os.close(fd)


def code_of(status):
    """As a shell has it: 128 + n for signal n."""
    return os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)


def spooled(fd):
    size = os.fstat(fd).st_size
    return os.pread(fd, min(size, 1 << 20) + 1, 0)


def high(fd):
    """A copy that programs started by the worker don't get, above the numbers that programs expect to be free."""
    import fcntl

    try:
        return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 200)
    except OSError:  # Fewer files are allowed.
        return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 3)


class Host:
    def __init__(self):
        self.commands = high(0)
        self.events = high(1)
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 0)
        os.close(null)
        self.out, self.err = spool(), spool()
        os.dup2(self.out, 1)
        os.dup2(self.err, 2)
        self.children = {}  # pid → call
        self.pending = b''
        self.served = False
        self.unwritten = []  # Ends that the journal could not take: [path, line, tries].
        self.boot = boot_id()
        self.random_states = {}

    # --- events and commands ---

    def send(self, event):
        try:
            write_all(self.events, (self.dumps(event) + '\n').encode())
        except OSError:
            pass  # The controller is gone; the proofs tell the next one.

    # --- serving ---

    def app(self, original, worker, argv):
        """Stands for Worker.app in main.py. Returns in children only."""
        if self.served or os.getpid() != self.pid:
            return original(worker, argv)
        self.served = True
        reason = refusal(argv, PLACEHOLDER, self.random_states, (self.out, self.err))
        if reason:
            self.send({'refused': reason})
            os._exit(0)
        call = self.serve()
        path = call['args']
        for arguments in (sys.argv, argv):
            for i, word in enumerate(arguments):
                if word == PLACEHOLDER:
                    arguments[i] = path
        return original(worker, argv)

    def serve(self):
        import gc
        import io
        import select
        import signal

        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        self.import_out, self.import_err = spooled(self.out), spooled(self.err)
        writers = [f for f in gc.get_objects() if isinstance(f, (io.TextIOWrapper, io.BufferedWriter, io.BufferedRandom))]
        self.writers = writers
        wake_read, wake_write = os.pipe()
        for fd in (wake_read, wake_write):
            os.set_blocking(fd, False)
        before = signal.getsignal(signal.SIGCHLD)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        old_wakeup = signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        collects = gc.isenabled()
        gc.collect()
        gc.disable()
        gc.freeze()
        self.send({'ready': self.pid})
        open_input = True
        while open_input or self.children or self.unwritten:
            inputs = [wake_read] + ([self.commands] if open_input else [])
            ready, _, _ = select.select(inputs, [], [], 1 if self.unwritten else None)
            if not ready:
                self.write_again()
            if wake_read in ready:
                try:
                    os.read(wake_read, 65536)
                except OSError:
                    pass
            self.reap()
            if self.commands in ready:
                data = os.read(self.commands, 65536)
                if not data:
                    open_input = False
                self.pending += data
                *lines, self.pending = self.pending.split(b'\n')
                for line in lines:
                    call = self.command(self.loads(line))
                    if call is not None:
                        signal.set_wakeup_fd(old_wakeup)
                        signal.signal(signal.SIGCHLD, before if before is not None else signal.SIG_DFL)
                        os.close(wake_read)
                        os.close(wake_write)
                        if collects:
                            gc.enable()
                        return call
                    self.reap()
        os._exit(0)

    def command(self, command):
        """The call, in its child; None in the host."""
        if command['op'] == 'kill':
            for pid, call in self.children.items():
                if call['id'] == command['id']:
                    try:
                        os.killpg(pid, command['signal'])
                    except OSError:  # It has no group of its own yet.
                        os.kill(pid, command['signal'])
            return None
        files = []
        for name in ('stdout', 'stderr'):
            try:
                files.append(os.open(command[name], os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666))
            except OSError:
                self.send({'ended': command['id'], 'code': 0, 'word': name})
                break
        else:
            try:
                pid = os.fork()
            except OSError as error:
                pid = -1
                self.send({'unstarted': command['id'], 'why': 'fork: %s' % error})
            if pid == 0:
                self.become(command, files)
                return command
            if pid > 0:
                self.children[pid] = command
        for file in files:
            os.close(file)
        return None

    def become(self, call, files):
        try:
            os.setsid()
            self.call = call
            os.dup2(files[0], 1)
            os.dup2(files[1], 2)
            if os.getppid() != self.pid:
                os._exit(1)  # Nobody would know how this ends, and nobody has seen it begin.
            try:
                append(call['journal'], 'b %s %d %s %s .\n' % (call['key'], os.getpid(), start_time(), self.boot))
            except OSError as error:
                write_all(2, ('cannot write %s: %s\n' % (call['journal'], error)).encode())
                os._exit(1)
            for file in (*files, self.commands, self.out, self.err):
                os.close(file)
            write_all(1, self.import_out)
            write_all(2, self.import_err)
            numpy = sys.modules.get('numpy.random.mtrand')
            if numpy:
                numpy.seed()  # As Python's own generator does after a fork.
        except BaseException:
            os._exit(1)

    def reap(self):
        for pid in list(self.children):
            try:
                if hasattr(os, 'waitid'):
                    # While its number is its own: its end is written, and what it left behind is ended.
                    seen = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
                    if seen is None:
                        continue
                    code = seen.si_status if seen.si_code == os.CLD_EXITED else 128 + seen.si_status
                    self.end_group(pid)
                    self.record(self.children[pid], code)
                    os.waitpid(pid, 0)
                else:
                    done, status = os.waitpid(pid, os.WNOHANG)
                    if not done:
                        continue
                    code = code_of(status)
                    self.end_group(pid)
                    self.record(self.children[pid], code)
            except ChildProcessError:
                code = 255  # Taken by code of the worker that waits for any child.
                self.record(self.children[pid], code)
            call = self.children.pop(pid)
            self.send({'ended': call['id'], 'code': code, 'word': 'ran'})

    @staticmethod
    def end_group(pid):
        try:
            os.killpg(pid, 15)
        except OSError:
            pass

    def record(self, call, code):
        line = 'e %s %d ran .\n' % (call['key'], code)
        try:
            append(call['journal'], line)
        except OSError:
            # A full disk is tried again for a minute; the line break ends what was written of the line before.
            self.unwritten.append([call['journal'], '\n' + line, 60])

    def write_again(self):
        waiting, self.unwritten = self.unwritten, []
        for path, line, tries in waiting:
            try:
                append(path, line)
            except OSError:
                if tries > 1 and os.path.isdir(os.path.dirname(path)):
                    self.unwritten.append([path, line, tries - 1])

    # --- main.py ---

    def run(self, path, module_type):
        import importlib.abc
        import importlib.machinery
        import json

        self.dumps, self.loads, self.pid = json.dumps, json.loads, os.getpid()
        host = self

        class Patched:
            """Another module's loader, and what is to be done when it has been loaded."""

            def __init__(self, loader, then):
                self.loader, self.then = loader, then

            def __getattr__(self, name):
                return getattr(self.loader, name)

            def create_module(self, spec):
                return self.loader.create_module(spec)

            def exec_module(self, module):
                module.__loader__ = module.__spec__.loader = self.loader
                self.loader.exec_module(module)
                self.then(module)

        def patch(module):
            worker = module.Worker
            original = worker.app

            def app(self, argv):
                return host.app(original, self, argv)

            app.__name__, app.__qualname__, app.__doc__ = original.__name__, original.__qualname__, original.__doc__
            worker.app = app

        wanted = {
            'tierkreis.worker.worker': patch,
            'random': lambda module: host.random_states.update({'random': random_state('random', module)}),
            'numpy.random.mtrand': lambda module: host.random_states.update({module.__name__: random_state(module.__name__, module)}),
        }

        class Finder:
            @staticmethod
            def find_spec(name, path=None, target=None):
                then = wanted.pop(name, None)
                if then is None:
                    return None
                spec = importlib.machinery.PathFinder.find_spec(name, path, target)
                if spec is not None and spec.loader is not None:
                    spec.loader = Patched(spec.loader, then)
                return spec

        for name in list(wanted):
            if name in sys.modules:
                wanted.pop(name)(sys.modules[name])
        sys.meta_path.insert(0, Finder)
        main = module_type('__main__')
        main.__file__ = path
        main.__builtins__ = __builtins__
        main.__spec__ = main.__package__ = None
        main.__loader__ = importlib.machinery.SourceFileLoader('__main__', path)
        main.__cached__ = None
        main.__annotations__ = {}
        sys.modules['__main__'] = main
        with open(path, 'rb') as file:
            code = compile(file.read(), path, 'exec', dont_inherit=True)
        try:
            exec(code, main.__dict__)
            code = 0
        except SystemExit as leave:
            code = self.exit_status(leave)
        except BaseException:
            code = self.uncaught()
        if os.getpid() != self.pid:
            self.leave(code)
        # Here main.py came to its end without a call of Worker.app, or failed before it.
        if code:
            sys.stderr.flush()
            said = spooled(self.err).decode('utf-8', 'replace').strip().splitlines()
            self.send({'refused': 'main.py fails when it is imported: ' + (said[-1] if said else 'exit code %d' % code)})
        else:
            self.send({'refused': 'main.py does not call Worker.app of tierkreis'})
        os._exit(0)

    # --- ends, as the interpreter does them ---

    @staticmethod
    def exit_status(leave):
        code = leave.code
        if code is None:
            return 0
        if isinstance(code, int):
            return code & 0xFF
        try:
            sys.stdout.flush()
            print(code, file=sys.stderr)
        except Exception:
            pass
        return 1

    @staticmethod
    def uncaught():
        kind, error, trace = sys.exc_info()
        seen = set()
        todo = [error]
        while todo:
            one = todo.pop()
            if one is None or id(one) in seen:
                continue
            seen.add(id(one))
            frames = []
            step = one.__traceback__
            while step is not None:
                if step.tb_frame.f_code.co_filename != HOST_FILE:
                    frames.append(step)
                step = step.tb_next
            for step, following in zip(frames, frames[1:] + [None]):
                step.tb_next = following
            one.__traceback__ = frames[0] if frames else None
            todo += [one.__cause__, one.__context__, *getattr(one, 'exceptions', ())]
        try:
            sys.stdout.flush()
            sys.excepthook(kind, error, error.__traceback__)
        except BaseException:
            pass
        return -2 if issubclass(kind, KeyboardInterrupt) else 1

    def leave(self, code):
        """What the interpreter does at its end, but for taking apart its memory, which would copy all of it."""
        import gc
        import io

        threading = sys.modules.get('threading')
        try:
            if threading:
                threading._shutdown()
        except BaseException:
            self.uncaught()
        try:
            import atexit

            atexit._run_exitfuncs()
        except BaseException:
            pass
        # Text before bytes: the first writes into the second.
        for kind in (io.TextIOWrapper, (io.BufferedWriter, io.BufferedRandom)):
            for writer in self.writers + gc.get_objects():
                if isinstance(writer, kind) and writer is not sys.stdout and writer is not sys.stderr:
                    try:
                        if not writer.closed:
                            writer.flush()
                    except BaseException:
                        pass
        for stream, bad in ((sys.stdout, 120), (sys.stderr, code)):
            try:
                if stream is not None and not stream.closed:
                    stream.flush()
            except BaseException:
                code = bad
        # The host writes it too, and for ends that don't come by here; without this, who looks between the two sees no end.
        self.record(self.call, code if code >= 0 else 128 - code)
        if code < 0:
            import signal

            signal.signal(-code, signal.SIG_DFL)
            os.kill(os.getpid(), -code)
        os._exit(code)


def main():
    path = sys.argv[1]
    import signal

    # As processes of their own are started: a terminal that is closed is none of their business.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    sys.argv[:] = [os.path.basename(path), PLACEHOLDER]
    if not getattr(sys.flags, 'safe_path', False):
        sys.path[0] = os.path.dirname(path)
    Host().run(path, type(sys))


main()
