using TorchSharp.Modules;

#nullable disable

namespace TorchSharp;

public static partial class torch
{
    public static partial class optim
    {
        /// <summary>Changes parameters by their gradients.</summary>
        public abstract class Optimizer : IDisposable
        {
            protected IList<ParamGroup> _parameter_groups = [];

            /// <param name="handle">Not used; kept for TorchSharp's API.</param>
            protected Optimizer(nint handle) => _ = handle;

            /// <summary>The groups, each with a learning rate of its own.</summary>
            public virtual IEnumerable<ILearningRateController> ParamGroups => _parameter_groups;

            public virtual IEnumerable<Parameter> parameters() => _parameter_groups.SelectMany(group => group.Parameters);

            /// <summary>Fills the gradients with zeros.</summary>
            public virtual void zero_grad()
            {
                using var scope = NewDisposeScope();
                using var _ = no_grad();
                Tensor[] gradients = [.. parameters().Select(parameter => parameter.grad).Where(gradient => gradient is not null)];
                if (gradients.Length > 0) Ops._foreach_zero_.CallOnList(gradients);
            }

            /// <summary>One update of all parameters that have a gradient.</summary>
            /// <param name="closure">Computes the loss and the gradients anew, if given.</param>
            /// <returns>What the closure returned, else null.</returns>
            public virtual Tensor step(Func<Tensor> closure = null) => throw new NotSupportedException($"{GetType().Name} does not implement step.");

            public virtual void add_param_group(ParamGroup param_group) => throw new NotSupportedException($"{GetType().Name} does not implement add_param_group.");

            /// <summary>Disposes the optimiser's own tensors; the parameters stay.</summary>
            public void Dispose()
            {
                Dispose(true);
                GC.SuppressFinalize(this);
            }

            protected virtual void Dispose(bool disposing) { }

            /// <summary>The optimiser's settings and state: the live objects, no copies.</summary>
            public class StateDictionary
            {
                internal StateDictionary() { }

                /// <summary>One for each group.</summary>
                public List<OptimizerOptions> Options { get; } = [];

                /// <summary>One for each parameter, in the groups' order.</summary>
                public List<OptimizerState> State { get; } = [];

                /// <summary>For each group, which entries of <see cref="State"/> are its parameters'.</summary>
                public List<List<int>> StateIndexRef { get; } = [];
            }
        }
    }
}
