using static TorchSharp.torch;

#nullable disable

namespace TorchSharp.Modules
{
    /// <summary>Adagrad: s ← s + g², θ ← θ - η/(1 + (t-1)γ) · g/(√s + ε). Duchi, Hazan and Singer 2011, JMLR 12, figure 1.</summary>
    public partial class Adagrad : OptimizerHelper
    {
        public Adagrad(IEnumerable<Parameter> parameters, double lr = 0.01, double lr_decay = 0, double weight_decay = 0, double initial_accumulator_value = 0, double eps = 1e-10)
            : this([new ParamGroup { Parameters = parameters }], lr, lr_decay, weight_decay, initial_accumulator_value, eps) { }

        /// <param name="parameters">Groups; what their options leave null takes the values given here.</param>
        public Adagrad(IEnumerable<ParamGroup> parameters, double lr = 0.01, double lr_decay = 0, double weight_decay = 0, double initial_accumulator_value = 0, double eps = 1e-10)
        {
            _defaults = new Options
            {
                LearningRate = AtLeastZero(lr, nameof(lr)),
                lr_decay = AtLeastZero(lr_decay, nameof(lr_decay)),
                weight_decay = AtLeastZero(weight_decay, nameof(weight_decay)),
                initial_accumulator_value = AtLeastZero(initial_accumulator_value, nameof(initial_accumulator_value)),
                eps = AtLeastZero(eps, nameof(eps)),
            };
            foreach (var group in parameters) add_param_group(group);
        }

        public override Tensor step(Func<Tensor> closure = null) => _step<ParamGroup>(Update, closure);

        public override void add_param_group(Modules.ParamGroup param_group)
        {
            var defaults = (Options)_defaults;
            var options = OptimizerOptions.Same<Options>(param_group.Options ??= new Options());
            options.LearningRate ??= defaults.LearningRate;
            options.lr_decay ??= defaults.lr_decay;
            options.weight_decay ??= defaults.weight_decay;
            options.initial_accumulator_value ??= defaults.initial_accumulator_value;
            options.eps ??= defaults.eps;
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
            foreach (var (parameter, given, state) in WithGradients<State>(group, maximize: false))
            {
                var gradient = options.weight_decay.Value == 0 ? given : given.add(parameter, options.weight_decay.Value);
                double rate = options.LearningRate.Value / (1 + state.step * options.lr_decay.Value);
                state.step++;
                state.sum.addcmul_(gradient, gradient, 1);
                parameter.addcdiv_(gradient, state.sum.sqrt().add_(options.eps.Value), -rate);
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
            public static Modules.Adagrad Adagrad(IEnumerable<Modules.Parameter> parameters, double lr = 0.01, double lr_decay = 0, double weight_decay = 0, double initial_accumulator_value = 0, double eps = 1e-10) =>
                new(parameters, lr, lr_decay, weight_decay, initial_accumulator_value, eps);

            public static Modules.Adagrad Adagrad(IEnumerable<(string name, Modules.Parameter parameter)> parameters, double lr = 0.01, double lr_decay = 0, double weight_decay = 0, double initial_accumulator_value = 0, double eps = 1e-10) =>
                new(parameters.Select(entry => entry.parameter), lr, lr_decay, weight_decay, initial_accumulator_value, eps);

            public static Modules.Adagrad Adagrad(IEnumerable<Modules.Adagrad.ParamGroup> parameters, double lr = 0.01, double lr_decay = 0, double weight_decay = 0, double initial_accumulator_value = 0, double eps = 1e-10) =>
                new(parameters, lr, lr_decay, weight_decay, initial_accumulator_value, eps);
        }
    }
}
