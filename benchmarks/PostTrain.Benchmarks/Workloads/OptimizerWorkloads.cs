using PostTrain.Kernels;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PostTrain.Benchmarks.Workloads;

/// <summary>One AdamW step over n tensors, its moments kept; NxE, E numbers in each.</summary>
internal sealed class AdamWStep : IWorkload
{
    public string Id => "K.adamw";

    public IReadOnlyList<string> Sizes => ReferenceSizes.Of("50x4096", "4x2097152");

    public Call Setup(string size, Inputs inputs)
    {
        var (shape, isReference) = ReferenceSizes.Parse(size);
        var parameters = OptimizerInputs.Make(shape, inputs);
        // Parameter, gradient and both moments are read; all but the gradient are written.
        double traffic = 28.0 * parameters.Sum(parameter => parameter.numel());
        if (isReference)
        {
            var optimizer = optim.AdamW(parameters, 1e-5, weight_decay: 0.01);
            return new(ReferenceSizes.Scoped(() => optimizer.step()), TrafficBytes: traffic);
        }
        Tensor[] means = [.. parameters.Select(parameter => zeros_like(parameter))];
        Tensor[] squares = [.. parameters.Select(parameter => zeros_like(parameter))];
        var options = new AdamWOptions { LearningRate = 1e-5 };
        long step = 0;
        return new(
            ReferenceSizes.Scoped(() =>
                OptimizerKernels.AdamW(parameters, [.. parameters.Select(parameter => parameter.grad!)], means, squares, ++step, options)
            ),
            TrafficBytes: traffic
        );
    }
}

/// <summary>Global norm of the gradients of n tensors, and scaling them.</summary>
internal sealed class ClipGradients : IWorkload
{
    public string Id => "K.clip";

    public IReadOnlyList<string> Sizes => ReferenceSizes.Of("50x4096", "4x2097152");

    public Call Setup(string size, Inputs inputs)
    {
        var (shape, isReference) = ReferenceSizes.Parse(size);
        var parameters = OptimizerInputs.Make(shape, inputs);
        double limit = nn.utils.clip_grad_norm_(parameters, 1e30);
        // The norm must be known before anything is scaled: read, read again, written.
        return new(
            ReferenceSizes.Scoped(() =>
            {
                // A clipped gradient has the limit's norm; the next limit lies below it again.
                limit *= 0.9999;
                if (isReference)
                    nn.utils.clip_grad_norm_(parameters, limit);
                else
                    OptimizerKernels.ClipGradients([.. parameters.Select(parameter => parameter.grad!)], limit);
            }),
            TrafficBytes: 12.0 * parameters.Sum(parameter => parameter.numel())
        );
    }
}

internal static class OptimizerInputs
{
    public static Parameter[] Make(long[] d, Inputs inputs)
    {
        // Rows of 64 where the tensor is a square of them, of 1024 above.
        long columns = d[1] == 4096 ? 64 : 1024;
        long[] shape = [d[1] / columns, columns];
        var parameters = new Parameter[d[0]];
        for (int i = 0; i < parameters.Length; i++)
        {
            parameters[i] = new Parameter(inputs.Normal(shape));
            parameters[i].grad = inputs.Normal(shape);
        }
        return parameters;
    }
}
