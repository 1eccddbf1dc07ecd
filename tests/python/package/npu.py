"""A vendor of NPUs in LiteRT's registry, as long as a test needs it."""

import contextlib


@contextlib.contextmanager
def vendor(backend_id, prefix, apply_plugin):
    """Gives the class of the vendor's targets: Target(model), called "PREFIX_MODEL".

    apply_plugin(model, input_model, output_model, component) compiles for a target; its
    `component` is LiteRT's own, which runs a compiler's library.
    """
    from ai_edge_litert.aot.core import aot_types, components
    from ai_edge_litert.aot.vendors import import_vendor

    class Target(aot_types.Target):
        def __init__(self, model):
            self.model = model

        def __hash__(self):
            return hash(self.model)

        def __eq__(self, other):
            return self.model == other.model

        def __repr__(self):
            return f"{prefix}_{self.model}"

        @classmethod
        def backend_id(cls):
            return backend_id

        def flatten(self):
            return {**super().flatten(), "model": self.model}

    class Backend(aot_types.Backend):
        @classmethod
        def create(cls, config):
            return cls(config)

        @classmethod
        def id(cls):
            return backend_id

        @property
        def target(self):
            return Target(self.config["model"])

        @property
        def target_id(self):
            return repr(self.target)

        def call_component(self, input_model, output_model, component):
            if isinstance(component, components.ApplyPluginT):
                apply_plugin(self.config["model"], input_model, output_model, component)
            else:
                component(input_model, output_model, [])

    import_vendor.register_backend(Backend)
    try:
        yield Target
    finally:
        del import_vendor._VENDOR_REGISTRY[backend_id]
