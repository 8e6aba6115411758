using static TorchSharp.torch;

#nullable disable

namespace TorchSharp.Modules
{
    /// <summary>Adam with decoupled weight decay; weight_decay is decoupled: it shrinks the parameters by lr · weight_decay.</summary>
    public partial class AdamW : OptimizerHelper, optim.IBetas
    {
        public AdamW(IEnumerable<Parameter> parameters, double lr = 0.001, double beta1 = 0.9, double beta2 = 0.999, double eps = 1e-8, double weight_decay = 0, bool amsgrad = false, bool maximize = false)
            : this([new ParamGroup { Parameters = parameters }], lr, beta1, beta2, eps, weight_decay, amsgrad, maximize) { }

        /// <param name="parameters">Groups; what their options leave null takes the values given here.</param>
        public AdamW(IEnumerable<ParamGroup> parameters, double lr = 0.001, double beta1 = 0.9, double beta2 = 0.999, double eps = 1e-8, double weight_decay = 0, bool amsgrad = false, bool maximize = false)
        {
            _defaults = new Options
            {
                LearningRate = AtLeastZero(lr, nameof(lr)),
                beta1 = DecayRate(beta1, nameof(beta1)),
                beta2 = DecayRate(beta2, nameof(beta2)),
                eps = AtLeastZero(eps, nameof(eps)),
                weight_decay = AtLeastZero(weight_decay, nameof(weight_decay)),
                amsgrad = amsgrad,
                maximize = maximize,
            };
            foreach (var group in parameters) add_param_group(group);
        }

        /// <summary>The decay rates of the two moving averages; setting them sets every group's.</summary>
        public (double, double) Betas
        {
            get => (((Options)_defaults).beta1.Value, ((Options)_defaults).beta2.Value);
            set
            {
                (((Options)_defaults).beta1, ((Options)_defaults).beta2) = value;
                foreach (var group in _parameter_groups) ((ParamGroup)group).Betas = value;
            }
        }

        public override Tensor step(Func<Tensor> closure = null) => _step<ParamGroup>(Update, closure);

        public override void add_param_group(Modules.ParamGroup param_group)
        {
            var defaults = (Options)_defaults;
            var options = OptimizerOptions.Same<Options>(param_group.Options ??= new Options());
            options.LearningRate ??= defaults.LearningRate;
            options.beta1 ??= defaults.beta1;
            options.beta2 ??= defaults.beta2;
            options.eps ??= defaults.eps;
            options.weight_decay ??= defaults.weight_decay;
            options.amsgrad ??= defaults.amsgrad;
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
            // Mostly one: parameters without a gradient in some step fall behind in their count.
            var updates = new List<AdamUpdate>(1);
            foreach (var (parameter, gradient, state) in WithGradients<State>(group, options.maximize.Value))
            {
                state.step++;
                var update = updates.Find(known => known.Step == state.step);
                if (update is null)
                {
                    update = new AdamUpdate(options.LearningRate.Value, options.beta1.Value, options.beta2.Value, options.eps.Value, options.weight_decay.Value, decoupled: true) { Step = state.step };
                    updates.Add(update);
                }
                update.Add(parameter, gradient, state.exp_avg, state.exp_avg_sq, state.max_exp_avg_sq);
            }
            foreach (var update in updates) update.Apply();
        }
    }
}

namespace TorchSharp
{
    public static partial class torch
    {
        public static partial class optim
        {
            public static Modules.AdamW AdamW(IEnumerable<Modules.Parameter> parameters, double lr = 0.001, double beta1 = 0.9, double beta2 = 0.999, double eps = 1e-8, double weight_decay = 0, bool amsgrad = false, bool maximize = false) =>
                new(parameters, lr, beta1, beta2, eps, weight_decay, amsgrad, maximize);

            public static Modules.AdamW AdamW(IEnumerable<(string name, Modules.Parameter parameter)> parameters, double lr = 0.001, double beta1 = 0.9, double beta2 = 0.999, double eps = 1e-8, double weight_decay = 0, bool amsgrad = false, bool maximize = false) =>
                new(parameters.Select(entry => entry.parameter), lr, beta1, beta2, eps, weight_decay, amsgrad, maximize);

            public static Modules.AdamW AdamW(IEnumerable<Modules.AdamW.ParamGroup> parameters, double lr = 0.001, double beta1 = 0.9, double beta2 = 0.999, double eps = 1e-8, double weight_decay = 0, bool amsgrad = false, bool maximize = false) =>
                new(parameters, lr, beta1, beta2, eps, weight_decay, amsgrad, maximize);
        }
    }
}
