using PostTrain.Models;
using PostTrain.Numerics;
using PostTrain.Supervised;
using PostTrain.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Distillation;

/// <summary>A batch of completions under student and teacher.</summary>
internal sealed class DistillationBatch : TrainingBatch
{
    private readonly SupervisedBatch batch;
    private readonly CausalLm student;
    private readonly ReferencePolicy teacher;
    private readonly DistillationTrainerOptions options;
    private readonly long first;

    internal DistillationBatch(
        IReadOnlyList<TokenExample> examples,
        int paddingId,
        CausalLm student,
        ReferencePolicy teacher,
        DistillationTrainerOptions options
    )
    {
        this.student = student;
        this.teacher = teacher;
        this.options = options;
        batch = SupervisedBatch.Of(examples, paddingId);
        // Before this column no completion has begun.
        first = examples.Min(example => example.PromptLength) - 1;
        Weight = options.Aggregation.Denominator(batch.LossMask);
        Tokens = batch.AttentionMask.sum().ToDouble();
    }

    internal override int Rows => (int)batch.Inputs.shape[0];

    internal override double Tokens { get; }

    internal override double Weight { get; }

    internal override Tensor Loss(int start, int count, MetricMeans means)
    {
        var rows = batch.Rows(start, count);
        var scores = SequenceScores.Of(student, rows, first);
        var logits = teacher.Ask(model => SequenceScores.Of(model, rows, first).Logits);
        var loss =
            options.LabelWeight == 0
                ? DistillationLosses.Distill(scores.Logits, logits, scores.Mask, options.Objective, options.Aggregation, Weight)
                : DistillationLosses.WithLabels(
                    scores.Logits,
                    logits,
                    scores.Targets,
                    scores.Mask,
                    options.LabelWeight,
                    options.Objective,
                    options.Aggregation,
                    Weight
                );
        double tokens = scores.Mask.sum().ToDouble();
        means.Add("agreement", loss.Agreement, tokens);
        means.Add("nll", Masked.Mean(scores.LogProbs.detach().neg(), scores.Mask), tokens);
        return loss.Loss;
    }
}
