using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Text;
using PostTrain.Training;

namespace PostTrain.Supervised;

/// <summary>Supervised fine-tuning: makes given completions of given prompts likely.</summary>
/// <remarks>
/// Loss: the cross-entropy of the completions' tokens, see <see cref="SftOptions.CrossEntropy"/>. Metrics besides those of
/// <see cref="DatasetTrainer{TExample}"/>: <c>accuracy</c> (share of tokens that were the most likely).
/// </remarks>
public sealed class SftTrainer : DatasetTrainer<Demonstration>
{
    private readonly CausalLm model;
    private readonly ITokenizer tokenizer;
    private readonly SftOptions options;

    /// <param name="model">What is trained: its parameters that require a gradient.</param>
    /// <param name="tokenizer">Turns texts into the model's token ids.</param>
    /// <param name="options">Checked here.</param>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of range.</exception>
    public SftTrainer(CausalLm model, ITokenizer tokenizer, SftOptions options)
        : base(model, options)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        this.model = model;
        this.tokenizer = tokenizer;
        this.options = options;
    }

    private protected override PreparedData Prepare(IReadOnlyList<Demonstration> data, string name)
    {
        var examples = new TokenExample[data.Count];
        for (int i = 0; i < examples.Length; i++)
            examples[i] = TokenExample.Of(
                data[i].Prompt,
                data[i].Completion,
                tokenizer,
                options.AppendEndOfSequence,
                model.ContextLength,
                $"{name}[{i}]",
                name
            );
        return new SftData(examples, model, tokenizer.PaddingId, options);
    }
}
