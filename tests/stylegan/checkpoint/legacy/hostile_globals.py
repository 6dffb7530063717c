"""Names that a pickle may ask for, none of which a network needs: what scanners list, and names that look like ours.

`CALLS` are those that scanners of pickles know to run, write, load or connect. `LOOKALIKES` are ours spelled
differently: with letters of other alphabets, in other case, or with invisible characters.
"""

__all__ = ["CALLS", "LOOKALIKES"]

_DANGEROUS = """
    __builtin__ eval compile open getattr apply execfile
    builtins compile globals locals setattr delattr vars dir map filter type object input breakpoint memoryview iter
    _aix_support _read_cmd_output
    _codecs decode lookup register escape_decode
    _ctypes dlopen
    _osx_support _read_output _find_build_tool
    _pickle Unpickler load
    _posixsubprocess fork_exec
    _pyrepl.pager pipe_pager
    _thread start_new_thread
    aiohttp.client ClientSession
    asyncio.unix_events _UnixSubprocessTransport._start
    asyncio create_subprocess_shell run
    atexit register
    bdb Bdb.run Bdb
    cgitb lookup
    cloudpickle.cloudpickle _make_function _builtin_type
    code interact InteractiveInterpreter
    codecs open decode getreader
    copyreg __newobj__ _reconstructor add_extension
    copy_reg _reconstructor
    commands getstatusoutput
    ctypes CDLL pythonapi string_at memmove
    dill._dill _create_code _load_type loads
    distutils.file_util write_file
    doctest debug_script
    ensurepip _run_pip
    functools reduce partialmethod
    gc get_objects
    http.client HTTPSConnection
    idlelib.calltip get_entity
    idlelib.debugobj ObjectTreeItem.SetText
    idlelib.pyshell ModifiedInterpreter.runcommand
    imp load_source load_dynamic
    importlib reload __import__
    importlib.machinery SourceFileLoader
    inspect getattr_static
    io open FileIO BytesIO
    itertools starmap
    joblib load
    joblib.numpy_pickle load
    keras.models load_model
    keras.saving load_model
    linecache getline
    mailcap findmatch
    multiprocessing.util spawnv_passfds
    netrc netrc
    nt popen remove
    numpy fromfile save memmap lib.format.read_array loadtxt
    numpy.f2py.crackfortran myeval param_eval _eval_length
    numpy.f2py.diagnose run_command
    numpy.core.function_base add_newdoc
    numpy.core.multiarray fromfile fromstring _vec_string
    numpy.lib.npyio load
    operator methodcaller itemgetter call
    os popen execv remove rmdir spawnl putenv environ kill posix_spawn unlink startfile
    pandas read_pickle
    pandas.io.pickle read_pickle
    pathlib Path.write_text Path Path.unlink
    pickle load Unpickler
    pickletools main
    pkgutil resolve_name
    platform popen _syscmd_ver
    posix popen remove
    pprint pprint
    pty spawn
    requests.api get
    requests get
    runpy _run_code run_module
    sched scheduler.run
    shelve open
    shutil rmtree copyfile which
    signal signal
    site execsitecustomize
    smtplib SMTP
    socket socket create_connection
    sqlite3 connect enable_load_extension
    ssl get_server_certificate
    subprocess Popen run call check_output
    sys exit settrace modules
    tempfile mkstemp
    tensorflow io.read_file load_op_library
    test.support.script_helper assert_python_ok
    threading Thread
    torch._C _jit_set_profiling_mode _create_function_from_trace
    torch._dynamo.guards GuardBuilder.get
    torch._dynamo.utils get_debug_dir
    torch._inductor.codecache compile_file PyCodeCache.load
    torch._utils _rebuild_device_tensor_from_numpy _rebuild_wrapper_subclass _import_dotted_name
    torch.classes load_library
    torch.distributed.rpc rpc_sync
    torch.fx.experimental.symbolic_shapes ShapeEnv.evaluate_guards_expression
    torch.hub load_state_dict_from_url _load_local
    torch.jit._pickle build_intlist restore_type_tag
    torch.jit.unsupported_tensor_ops execWrapper
    torch.multiprocessing.reductions rebuild_storage_filename
    torch.nn.modules.container Sequential
    torch.ops load_library
    torch.package PackageImporter
    torch.storage UntypedStorage _share_filename_cpu
    torch.utils.bottleneck.__main__ run_cprofile run_autograd_prof
    torch.utils.cpp_extension load_inline load
    torch.utils.data.datapipes.utils.decoder basichandlers
    torch_utils.persistence _reconstruct_persistent_obj.__globals__ persistent_class
    types CodeType MethodType SimpleNamespace
    unittest.mock _importer
    urllib.request urlopen urlretrieve
    uuid _get_command_stdout
    venv create
    yaml unsafe_load
    zipimport zipimporter
"""
CALLS: list[tuple[str, str]] = [
    (line.split()[0], member) for line in _DANGEROUS.strip().splitlines() for member in line.split()[1:]
]
LOOKALIKES: list[tuple[str, str]] = [
    ("c\u043ellections", "OrderedDict"),  # Cyrillic o
    ("collections", "\u041erderedDict"),
    ("\uff43ollections", "OrderedDict"),  # full width, which identifiers are normalised from
    ("collections", "Ordered\u200bDict"),  # zero width
    ("collections", "OrderedDict\u200d"),
    ("\ufeffcollections", "OrderedDict"),
    ("collections ", "OrderedDict"),
    (" collections", "OrderedDict"),
    ("collections", "OrderedDict "),
    ("collections\r", "OrderedDict"),
    ("collections", "OrderedDict\x00"),
    ("collections\x00os", "system"),
    ("Collections", "OrderedDict"),
    ("collections", "ordereddict"),
    ("collections.", "OrderedDict"),
    (".collections", "OrderedDict"),
    ("collections.abc", "OrderedDict"),
    ("torch._utils", "_rebuild_tensor_v2.__globals__"),
    ("torch._utils._rebuild_tensor_v2", "__globals__"),
    ("torch\u2024_utils", "_rebuild_tensor_v2"),  # one dot leader
    ("torch._utils", "_rebuild_tensor\ufe4dv2"),  # dashed low line
    ("torch", "FloatStorage"),  # known inside a storage, not in an official pickle
    ("argparse", "Namespace"),  # known in a .pt, not in an official pickle
    ("numpy", "dtype.__class__"),
    ("numpy..core.multiarray", "_reconstruct"),
    ("\u006eumpy\u0301", "ndarray"),  # a combining accent
    ("dnnlib.util", "Easy\u202eDict"),  # turned from right to left
    ("", "collections.OrderedDict"),
    ("collections.OrderedDict", ""),
]
