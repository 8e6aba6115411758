using PostTrain.Models;
using PostTrain.Text;
using PostTrain.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Preference;

/// <summary>Odds-ratio preference optimisation (Hong et al. 2024, arXiv:2403.07691): supervised fine-tuning and preference in one stage,
/// without a reference.</summary>
/// <remarks>Nothing depends on the micro-batch. Metrics besides those of <see cref="PairTrainer"/>: <c>nll</c>.</remarks>
public sealed class OrpoTrainer : PairTrainer
{
    private readonly OrpoTrainerOptions options;

    /// <param name="model">What is trained: its parameters that require a gradient.</param>
    /// <param name="tokenizer">Turns texts into the model's token ids.</param>
    /// <param name="options">Checked here.</param>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of range.</exception>
    public OrpoTrainer(CausalLm model, ITokenizer tokenizer, OrpoTrainerOptions options)
        : base(model, tokenizer, options) => this.options = options;

    internal override PreparedData Prepare(TokenPair[] pairs) =>
        new PairData(pairs, Model, Tokenizer.PaddingId, Loss, fromStart: options.Likelihood == OrpoLikelihood.PromptAndCompletion);

    private Tensor Loss(PairPart part, IReadOnlyList<int> indices, MetricMeans means)
    {
        var likelihood = options.Likelihood == OrpoLikelihood.Completion ? part.SequenceLikelihood() : part.TextLikelihood();
        var loss = PreferenceLosses.Orpo(part.Sums(), options.Lambda, likelihood, part.Pairs);
        Report(loss, part, means);
        means.Add("nll", likelihood.ToDouble() * part.Pairs / part.Count, part.Count);
        return loss.Loss;
    }
}
