using System.Globalization;
using static TorchSharp.torch;

namespace TorchSharp.Modules
{
    /// <summary>Modules one after the other, each given the result of the one before.</summary>
    public class Sequential : nn.Module<Tensor, Tensor>
    {
        private readonly List<nn.Module<Tensor, Tensor>> steps = [];

        protected Sequential(params (string name, nn.Module<Tensor, Tensor> submodule)[] modules) : base(nameof(Sequential))
        {
            foreach (var (name, module) in modules) append(name, module);
        }

        protected Sequential(params nn.Module<Tensor, Tensor>[] modules) : base(nameof(Sequential))
        {
            foreach (var module in modules) append(module);
        }

        internal static Sequential Of(nn.Module<Tensor, Tensor>[] modules) => new(modules);
        internal static Sequential Of((string, nn.Module<Tensor, Tensor>)[] modules) => new(modules);

        public int Count => steps.Count;

        public nn.IModule<Tensor, Tensor> this[int index] => steps[index];

        /// <summary>The steps of a range, shared with this module.</summary>
        public Sequential this[Range index] => new([.. steps[index]]);

        /// <summary>Adds a step under its number.</summary>
        public Sequential append(nn.IModule<Tensor, Tensor> module) => append(steps.Count.ToString(CultureInfo.InvariantCulture), module);

        public Sequential append(string name, nn.IModule<Tensor, Tensor> module)
        {
            var step = module as nn.Module<Tensor, Tensor>
                ?? throw new ArgumentException($"module: given {module?.GetType().Name ?? "null"}, expected a module from tensor to tensor", nameof(module));
            register_module(name, step);
            steps.Add(step);
            return this;
        }

        // What lies between two steps is disposed as soon as it has been used; autograd keeps what it needs.
        public override Tensor forward(Tensor tensor)
        {
            if (steps.Count == 0) return tensor.alias();
            var current = steps[0].call(tensor);
            for (int i = 1; i < steps.Count; i++)
            {
                var next = steps[i].call(current);
                if (!ReferenceEquals(next, current) && !ReferenceEquals(current, tensor)) current.Dispose();
                current = next;
            }
            return current;
        }
    }
}

namespace TorchSharp
{
    public static partial class torch
    {
        public static partial class nn
        {
            public static Modules.Sequential Sequential() => Modules.Sequential.Of(Array.Empty<Module<Tensor, Tensor>>());
            public static Modules.Sequential Sequential(params Module<Tensor, Tensor>[] modules) => Modules.Sequential.Of(modules);
            public static Modules.Sequential Sequential(params (string name, Module<Tensor, Tensor> submodule)[] modules) => Modules.Sequential.Of(modules);
            public static Modules.Sequential Sequential(IEnumerable<Module<Tensor, Tensor>> modules) => Modules.Sequential.Of(modules.ToArray());
            public static Modules.Sequential Sequential(IEnumerable<(string name, Module<Tensor, Tensor> submodule)> modules) => Modules.Sequential.Of(modules.ToArray());
        }
    }
}
