using TorchSharp.Modules;
using TorchSharp.Utils;

namespace TorchSharp;

public static partial class torch
{
    public static partial class nn
    {
        /// <summary>A piece of a network: parameters, buffers and other modules, each under a name.</summary>
        /// <remarks>A subclass calls <see cref="RegisterComponents"/> at the end of its constructor; what it does not register, it does not train or save.</remarks>
        public partial class Module : IDisposable
        {
            protected string? name;
            protected DeviceType _deviceType;
            protected int _deviceIndex = -1;
            protected OrderedDict<string, Module> _internal_submodules = new();
            protected OrderedDict<string, (Tensor, bool)> _internal_buffers = new();
            protected OrderedDict<string, Parameter> _internal_params = new();
            private bool isTraining = true;

            protected Module(string name) => this.name = name;

            public virtual string GetName() => name ?? GetType().Name;

            /// <summary>Whether the module behaves as in training (dropout on) or as in evaluation.</summary>
            public virtual bool training => isTraining;

            /// <summary>Sets this module and those in it to training (or, with false, to evaluation).</summary>
            public virtual void train(bool train = true)
            {
                isTraining = train;
                foreach (var (_, child) in named_children()) child.train(train);
            }

            public virtual void eval() => train(false);

            /// <summary>Calls a function with every module inside, the innermost first, and with this one at the end.</summary>
            public virtual Module apply(Action<Module> fn)
            {
                foreach (var (_, child) in _internal_submodules) child.apply(fn);
                fn(this);
                return this;
            }

            /// <summary>Drops every parameter's gradient, or fills it with zeros.</summary>
            public virtual void zero_grad(bool set_to_none = true)
            {
                foreach (var (_, parameter) in named_parameters())
                {
                    if (set_to_none)
                    {
                        parameter.grad = null;
                        continue;
                    }
                    using var gradient = parameter.grad;
                    gradient?.zero_();
                }
            }

            /// <summary>Disposes the parameters and buffers of this module and of those in it.</summary>
            public void Dispose()
            {
                Dispose(true);
                GC.SuppressFinalize(this);
            }

            protected virtual void Dispose(bool disposing)
            {
                if (!disposing) return;
                foreach (var (_, parameter) in _internal_params) parameter.Dispose();
                foreach (var (_, (buffer, _)) in _internal_buffers) buffer.Dispose();
                foreach (var (_, child) in _internal_submodules) child.Dispose();
            }

            /// <summary>What a new parameter gets where nothing is given: the CPU and the default element type.</summary>
            protected static (Device device, ScalarType dtype) GetDefaultDeviceAndType(Device? device = null, ScalarType? dtype = null) =>
                (device ?? CPU, dtype ?? get_default_dtype());
        }
    }
}
