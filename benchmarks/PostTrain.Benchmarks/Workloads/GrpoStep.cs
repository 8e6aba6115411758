using PostTrain.Benchmarks.Workloads.Models;
using PostTrain.Numerics;
using PostTrain.Policy;
using PostTrain.Policy.Losses;
using PostTrain.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Benchmarks.Workloads;

/// <summary>
/// An update on one group of 8 given completions: DAPO's loss with given old and reference log-probs, beta 0.04, of the completions' logits
/// alone; the loop is a user's own, of the library's losses and <see cref="Optimization"/>.
/// </summary>
internal sealed class GrpoStep : IWorkload
{
    public string Id => "S.grpo.full";

    public IReadOnlyList<string> Sizes => BenchmarkModel.Names;

    public string? Missing(string size) => BenchmarkModel.Of(size).Missing;

    public Call Setup(string size, Inputs inputs)
    {
        var choice = BenchmarkModel.Of(size);
        var model = choice.Load(inputs.ModelType);
        var work = new ModelWork(model);
        int prompt = choice.Length / 2,
            completion = choice.Length - prompt;
        var rows = StepRows.WithPrompts(StepRows.Of(inputs, BenchmarkModel.Rows, choice.Length, model.VocabularySize), prompt, _ => 0);
        var ids = tensor(rows.SelectMany(row => row).Select(id => (long)id).ToArray()).view(rows.Length, choice.Length);
        var targets = ids.narrow(1, prompt, completion);
        var mask = ones(rows.Length, completion);
        var now = Known(LogProbs);
        var (oldLogProbs, reference, advantages) = (inputs.Near(now, 0.05), inputs.Near(now, 0.05), inputs.Normal([rows.Length]));
        double tokens = LossAggregation.TokenMean.Denominator(mask);
        var objective = PolicyObjectives.Bnpo(0.2) with { Beta = 0.04 };
        var optimization = new Optimization(model, new GrpoOptions { Steps = TrainingStep.Unlimited, LearningRate = TrainingStep.Rate });
        model.train();
        double flops = work.FullStep(rows.Length, choice.Length, completion + 1);
        return TrainingStep.Call(() => optimization.Update(1, _ => Loss()), choice, inputs, flops, optimization, model);

        Tensor Loss() =>
            objective.Loss(new PolicyBatch(LogProbs(), oldLogProbs, advantages, mask) { ReferenceLogProbs = reference }, tokens).Loss;

        Tensor LogProbs()
        {
            var logits = model.Project(model.Hidden(ids).narrow(1, prompt - 1, completion)).to_type(ScalarType.Float32);
            return TokenLogProbs.Gather(logits, targets);
        }
    }

    private static Tensor Known(Func<Tensor> logProbs)
    {
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        return logProbs().MoveToOuterDisposeScope();
    }
}
