using static TorchSharp.torch;

#nullable disable

namespace TorchSharp.Modules
{
    /// <summary>Stochastic gradient descent: g ← g + λθ, b ← μb + (1-τ)g (b = g at first), θ ← θ - ηb; with Nesterov θ ← θ - η(g + μb).</summary>
    public partial class SGD : OptimizerHelper, optim.IMomentum
    {
        public SGD(IEnumerable<Parameter> parameters, double lr, double momentum = 0, double dampening = 0, double weight_decay = 0, bool nesterov = false, bool maximize = false)
            : this([new ParamGroup { Parameters = parameters }], lr, momentum, dampening, weight_decay, nesterov, maximize) { }

        /// <param name="parameters">Groups; what their options leave null takes the values given here.</param>
        public SGD(IEnumerable<ParamGroup> parameters, double lr, double momentum = 0, double dampening = 0, double weight_decay = 0, bool nesterov = false, bool maximize = false)
        {
            if (nesterov && (momentum <= 0 || dampening != 0))
                throw new ArgumentException($"nesterov: given momentum {momentum} and dampening {dampening}, expected momentum over 0 and no dampening", nameof(nesterov));
            _defaults = new Options
            {
                LearningRate = AtLeastZero(lr, nameof(lr)),
                momentum = AtLeastZero(momentum, nameof(momentum)),
                dampening = dampening,
                weight_decay = AtLeastZero(weight_decay, nameof(weight_decay)),
                nesterov = nesterov,
                maximize = maximize,
            };
            foreach (var group in parameters) add_param_group(group);
        }

        /// <summary>μ; setting it sets every group's.</summary>
        public double Momentum
        {
            get => ((Options)_defaults).momentum.Value;
            set
            {
                ((Options)_defaults).momentum = value;
                foreach (var group in _parameter_groups) ((ParamGroup)group).Momentum = value;
            }
        }

        public override Tensor step(Func<Tensor> closure = null) => _step<ParamGroup>(Update, closure);

        public override void add_param_group(Modules.ParamGroup param_group)
        {
            var defaults = (Options)_defaults;
            var options = OptimizerOptions.Same<Options>(param_group.Options ??= new Options());
            options.LearningRate ??= defaults.LearningRate;
            options.momentum ??= defaults.momentum;
            options.dampening ??= defaults.dampening;
            options.weight_decay ??= defaults.weight_decay;
            options.nesterov ??= defaults.nesterov;
            options.maximize ??= defaults.maximize;
            base.add_param_group(param_group);
            foreach (var parameter in param_group.Parameters)
            {
                var state = new State(parameter);
                state.Initialize(options);
                _state.Add(parameter.Handle, state);
            }
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing) DisposeState();
            base.Dispose(disposing);
        }

        private void Update(ParamGroup group)
        {
            var options = group.Options;
            var entries = WithGradients<State>(group, options.maximize.Value);
            if (entries.Count == 0) return;
            Tensor[] theta = [.. entries.Select(entry => entry.Parameter)], g = [.. entries.Select(entry => entry.Gradient)];
            if (options.weight_decay.Value != 0) g = Ops._foreach_add_List.CallList(g, theta, options.weight_decay.Value);
            if (options.momentum.Value != 0) g = Momenta([.. entries.Select(entry => entry.State)], g, options);
            Ops._foreach_add__List.CallOnList(theta, g, -options.LearningRate.Value);
        }

        // The direction of the step, from momenta brought up to date.
        private static Tensor[] Momenta(State[] states, Tensor[] g, Options options)
        {
            double momentum = options.momentum.Value;
            int[] known = [.. Enumerable.Range(0, states.Length).Where(i => states[i].momentum_buffer is not null)];
            if (known.Length > 0)
            {
                Tensor[] old = [.. known.Select(i => states[i].momentum_buffer)], news = [.. known.Select(i => g[i])];
                Ops._foreach_mul__Scalar.CallOnList(old, momentum);
                Ops._foreach_add__List.CallOnList(old, news, 1 - options.dampening.Value);
            }
            for (int i = 0; i < states.Length; i++) states[i].momentum_buffer ??= g[i].clone().DetachFromDisposeScope();
            Tensor[] buffers = [.. states.Select(state => state.momentum_buffer)];
            return options.nesterov.Value ? Ops._foreach_add_List.CallList(g, buffers, momentum) : buffers;
        }
    }
}

namespace TorchSharp
{
    public static partial class torch
    {
        public static partial class optim
        {
            public static Modules.SGD SGD(IEnumerable<Modules.Parameter> parameters, double learningRate, double momentum = 0, double dampening = 0, double weight_decay = 0, bool nesterov = false, bool maximize = false) =>
                new(parameters, learningRate, momentum, dampening, weight_decay, nesterov, maximize);

            public static Modules.SGD SGD(IEnumerable<(string name, Modules.Parameter parameter)> parameters, double learningRate, double momentum = 0, double dampening = 0, double weight_decay = 0, bool nesterov = false, bool maximize = false) =>
                new(parameters.Select(entry => entry.parameter), learningRate, momentum, dampening, weight_decay, nesterov, maximize);

            public static Modules.SGD SGD(IEnumerable<Modules.SGD.ParamGroup> parameters, double learningRate, double momentum = 0, double dampening = 0, double weight_decay = 0, bool nesterov = false, bool maximize = false) =>
                new(parameters, learningRate, momentum, dampening, weight_decay, nesterov, maximize);
        }
    }
}
