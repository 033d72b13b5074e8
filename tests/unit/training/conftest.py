from tests.helpers.torch_threads import one_thread as one_thread
