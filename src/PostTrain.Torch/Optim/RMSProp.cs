using static TorchSharp.torch;

#nullable disable

namespace TorchSharp.Modules
{
    /// <summary>RMSProp: v ← αv + (1-α)g², θ ← θ - ηg/(√v + ε); centred, v - ḡ² stands in the place of v, with ḡ ← αḡ + (1-α)g.
    /// With momentum b ← μb + g/(√v + ε), θ ← θ - ηb. Hinton's lecture 6e; centred: Graves, arXiv:1308.0850, equation 38.</summary>
    public partial class RMSProp : OptimizerHelper, optim.IMomentum
    {
        public RMSProp(IEnumerable<Parameter> parameters, double lr = 0.001, double alpha = 0.99, double eps = 1e-8, double weight_decay = 0, double momentum = 0, bool centered = false, bool maximize = false)
            : this([new ParamGroup { Parameters = parameters }], lr, alpha, eps, weight_decay, momentum, centered, maximize) { }

        /// <param name="parameters">Groups; what their options leave null takes the values given here.</param>
        public RMSProp(IEnumerable<ParamGroup> parameters, double lr = 0.001, double alpha = 0.99, double eps = 1e-8, double weight_decay = 0, double momentum = 0, bool centered = false, bool maximize = false)
        {
            _defaults = new Options
            {
                LearningRate = AtLeastZero(lr, nameof(lr)),
                alpha = AtLeastZero(alpha, nameof(alpha)),
                eps = AtLeastZero(eps, nameof(eps)),
                weight_decay = AtLeastZero(weight_decay, nameof(weight_decay)),
                momentum = AtLeastZero(momentum, nameof(momentum)),
                centered = centered,
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
            options.alpha ??= defaults.alpha;
            options.eps ??= defaults.eps;
            options.weight_decay ??= defaults.weight_decay;
            options.momentum ??= defaults.momentum;
            options.centered ??= defaults.centered;
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
            double rate = options.LearningRate.Value, alpha = options.alpha.Value;
            foreach (var (parameter, given, state) in WithGradients<State>(group, options.maximize.Value))
            {
                state.step++;
                var gradient = options.weight_decay.Value == 0 ? given : given.add(parameter, options.weight_decay.Value);
                state.square_avg.mul_(alpha).addcmul_(gradient, gradient, 1 - alpha);
                var variance = state.square_avg;
                if (options.centered.Value)
                {
                    state.grad_avg.mul_(alpha).add_(gradient, 1 - alpha);
                    variance = variance - state.grad_avg.square();
                }
                var divisor = variance.sqrt().add_(options.eps.Value);
                if (options.momentum.Value == 0) parameter.addcdiv_(gradient, divisor, -rate);
                else parameter.add_(state.Momentum().mul_(options.momentum.Value).addcdiv_(gradient, divisor, 1), -rate);
            }
        }
    }
}

namespace TorchSharp
{
    public static partial class torch
    {
        public static partial class optim
        {
            public static Modules.RMSProp RMSProp(IEnumerable<Modules.Parameter> parameters, double lr = 0.01, double alpha = 0.99, double eps = 1e-8, double weight_decay = 0, double momentum = 0, bool centered = false, bool maximize = false) =>
                new(parameters, lr, alpha, eps, weight_decay, momentum, centered, maximize);

            public static Modules.RMSProp RMSProp(IEnumerable<(string name, Modules.Parameter parameter)> parameters, double lr = 0.01, double alpha = 0.99, double eps = 1e-8, double weight_decay = 0, double momentum = 0, bool centered = false, bool maximize = false) =>
                new(parameters.Select(entry => entry.parameter), lr, alpha, eps, weight_decay, momentum, centered, maximize);

            public static Modules.RMSProp RMSProp(IEnumerable<Modules.RMSProp.ParamGroup> parameters, double lr = 0.01, double alpha = 0.99, double eps = 1e-8, double weight_decay = 0, double momentum = 0, bool centered = false, bool maximize = false) =>
                new(parameters, lr, alpha, eps, weight_decay, momentum, centered, maximize);
        }
    }
}
