# What keeps calls from being forked of one process: state that they would share and that processes of their own have each for itself.
# First part of the worker host's program; worker-host.py follows.
import os
import sys


def refusal(argv, placeholder, random_states, printed):
    """Why calls must not be forked from this process, or None."""
    if placeholder not in argv:
        return 'main.py calls Worker.app with other arguments than its own'
    threading = sys.modules.get('threading')
    if threading and threading.active_count() > 1:
        names = sorted(t.name for t in threading.enumerate() if t is not threading.main_thread())
        return 'main.py starts threads when it is imported: ' + ', '.join(names[:5])
    asyncio = sys.modules.get('asyncio')
    if asyncio and asyncio._get_running_loop() is not None:
        return 'main.py calls Worker.app inside an event loop'
    reason = native_threads() or shared_random(random_states) or shared_files()
    if reason:
        return reason
    for fd in printed:
        if os.fstat(fd).st_size > 1 << 20:
            return 'main.py prints more than 1 MiB when it is imported'
    return None


def native_threads():
    try:
        count = len(os.listdir('/proc/self/task'))
        with open('/proc/self/maps') as maps:
            libraries = maps.read().lower()
    except OSError:
        return None
    # OpenBLAS ends its threads before a fork and starts them again after it; of others nothing is known.
    if count > 1 and 'openblas' not in libraries:
        return 'libraries that main.py imports run threads of their own (%d)' % (count - 1)
    return None


def random_state(name, module):
    if name == 'random':
        return module.getstate()
    return repr(module._rand.get_state(legacy=False))


def shared_random(states):
    """Generators that every child would continue at the same place, where processes of their own each start anew."""
    random = sys.modules.get('random')
    if random and states.get('random') not in (None, random.getstate()):
        return "main.py uses Python's random numbers when it is imported"
    numpy = sys.modules.get('numpy.random.mtrand')
    if numpy and states.get(numpy.__name__) not in (None, repr(numpy._rand.get_state(legacy=False))):
        return "main.py uses numpy's global random numbers when it is imported"
    kinds, known = [], set()
    if random:
        kinds.append(random.Random)
        known.add(id(getattr(random, '_inst', None)))
    if numpy:
        kinds.append(numpy.RandomState)
        known.add(id(numpy._rand))
        kinds.append(sys.modules['numpy.random._generator'].Generator)
    if kinds:
        import gc

        system = random.SystemRandom if random else ()
        # Names of temporary files come from a generator that looks whether it is still in its process.
        names = getattr(sys.modules.get('tempfile'), '_name_sequence', None)
        known.add(id(getattr(names, '_rng', None)))
        for found in gc.get_objects():
            if isinstance(found, tuple(kinds)) and id(found) not in known and not isinstance(found, system):
                return 'main.py makes a random number generator when it is imported (%s)' % type(found).__name__
        # Generators of numpy are not tracked by the collector: those that modules hold by name are looked at.
        for module in list(sys.modules.values()):
            for value in list(getattr(module, '__dict__', {}).values()):
                if type(value) in kinds and id(value) not in known and not isinstance(value, system):
                    return 'main.py makes a random number generator when it is imported (%s)' % type(value).__name__
    return None


def shared_files():
    """Temporary directories made on import are removed by whoever ends first."""
    weakref = sys.modules.get('weakref')
    tempfile = sys.modules.get('tempfile')
    if weakref and tempfile:
        cleanup = getattr(tempfile.TemporaryDirectory._cleanup, '__func__', None)
        for info in list(weakref.finalize._registry.values()):
            if getattr(info.func, '__func__', info.func) is cleanup:
                return 'main.py makes a temporary directory when it is imported'
    return None
