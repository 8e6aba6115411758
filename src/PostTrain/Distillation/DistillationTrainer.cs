using PostTrain.Data;
using PostTrain.Data.Batches;
using PostTrain.Models;
using PostTrain.Numerics;
using PostTrain.Supervised;
using PostTrain.Text;
using PostTrain.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Distillation;

/// <summary>Distillation on given completions: at each of their tokens the student's distribution is drawn to the teacher's.</summary>
/// <remarks>
/// Loss: <see cref="DistillationLosses.Distill"/>, or with labels <see cref="DistillationLosses.WithLabels"/> (Hinton et al. 2015,
/// arXiv:1503.02531). Nothing depends on the micro-batch. Metrics besides those of <see cref="DatasetTrainer{TExample}"/>: <c>agreement</c>
/// (share of tokens where both have the same most likely one) and <c>nll</c> (of the completions under the student). Sequence-level
/// distillation (Kim and Rush 2016, arXiv:1606.07947) is <see cref="SftTrainer"/> on completions that the teacher wrote; distillation on
/// the student's own completions is <see cref="OnPolicyDistillationTrainer"/>.
/// </remarks>
public sealed class DistillationTrainer : DatasetTrainer<Demonstration, SequenceBatch>
{
    private readonly CausalLm student;
    private readonly ReferencePolicy teacher;
    private readonly ITokenizer tokenizer;
    private readonly DistillationOptions options;

    /// <param name="student">The trained model: its parameters that require a gradient.</param>
    /// <param name="tokenizer">Turns texts into both models' token ids.</param>
    /// <param name="teacher">A frozen model of the same vocabulary, or the student without its adapter.</param>
    /// <param name="options">Options, validated here.</param>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of range.</exception>
    /// <exception cref="ArgumentException">The vocabularies differ.</exception>
    public DistillationTrainer(CausalLm student, ITokenizer tokenizer, ReferencePolicy teacher, DistillationOptions options)
        : base(student, options)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        Teachers.Check(student, teacher);
        this.student = student;
        this.teacher = teacher;
        this.tokenizer = tokenizer;
        this.options = options;
    }

    /// <inheritdoc/>
    protected override Func<IReadOnlyList<int>, SequenceBatch> Prepare(IReadOnlyList<Demonstration> data, string name)
    {
        int context = Math.Min(student.ContextLength, teacher.Own?.ContextLength ?? int.MaxValue);
        var examples = Encode(data, name, Encoder(tokenizer, context, options.AppendEndOfSequence));
        return indices =>
        {
            var batch = SequenceBatch.Of([.. indices.Select(index => examples[index])], tokenizer.PaddingId);
            return batch with { Denominator = options.Aggregation.Denominator(batch.LossMask) };
        };
    }

    /// <inheritdoc/>
    protected override Tensor Loss(SequenceBatch batch, int start, int count, MetricMeans metrics)
    {
        var rows = batch.Part(start, count);
        var states = SequenceStates.Of(student, rows);
        var wanted = teacher.Ask(model => SequenceStates.Of(model, rows).Hidden);
        return states.Loss(1, Share);

        Tensor Share(SequenceScores scores, int first, int some)
        {
            var logits = teacher.Ask(model => model.Project(wanted.narrow(0, first, some)).AtLeastSingle());
            var loss =
                options.LabelWeight == 0
                    ? DistillationLosses.Distill(
                        scores.Logits,
                        logits,
                        scores.Mask,
                        options.Objective,
                        options.Aggregation,
                        batch.Denominator
                    )
                    : DistillationLosses.WithLabels(
                        scores.Logits,
                        logits,
                        scores.Targets,
                        scores.Mask,
                        options.LabelWeight,
                        options.Objective,
                        options.Aggregation,
                        batch.Denominator
                    );
            double tokens = scores.Mask.sum().ToDouble();
            metrics.Add("agreement", loss.Agreement, tokens);
            metrics.Add("nll", Masked.Mean(scores.LogProbs.detach().neg(), scores.Mask), tokens);
            return loss.Loss;
        }
    }
}
