using PostTrain.Torch.Interop;

namespace TorchSharp;

internal static partial class Ops
{
    internal static readonly Operator
        bernoulli = new("bernoulli"),
        bernoulli__Tensor = new("bernoulli_.Tensor"),
        bernoulli__float = new("bernoulli_.float"),
        multinomial = new("multinomial"),
        binomial = new("binomial"),
        poisson = new("poisson"),
        normal_ = new("normal_"),
        uniform_ = new("uniform_"),
        exponential_ = new("exponential_"),
        cauchy_ = new("cauchy_"),
        geometric_ = new("geometric_"),
        log_normal_ = new("log_normal_"),
        random__from = new("random_.from"),
        normal_Tensor_Tensor = new("normal.Tensor_Tensor"),
        _standard_gamma = new("_standard_gamma"),
        _sample_dirichlet = new("_sample_dirichlet");
}
