using PostTrain.Data.Batches;
using PostTrain.Models.Heads;
using PostTrain.Text;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.RewardModeling;

/// <summary>Texts as reward models read them.</summary>
internal static class RewardText
{
    /// <summary>Prompt and completion, encoded together, and the end of the sequence where it is asked for and not there yet.</summary>
    internal static int[] Encode(MarkedText prompt, MarkedText completion, ITokenizer tokenizer, bool appendEnd) =>
        CompletionTokens.Of(prompt, completion, tokenizer, appendEnd).Ids;

    /// <summary>1 where a row has a token, [B,T]: padding is told by its place and not by its id, which a text may hold.</summary>
    internal static Tensor Mask(IReadOnlyList<int[]> rows)
    {
        using var scope = NewDisposeScope();
        var lengths = tensor(rows.Select(row => (long)row.Length).ToArray()).unsqueeze(1);
        return arange(rows.Max(row => row.Length), dtype: ScalarType.Int64)
            .unsqueeze(0)
            .lt(lengths)
            .to_type(ScalarType.Int64)
            .MoveToOuterDisposeScope();
    }

    /// <summary>Overload that puts the result on the model's device.</summary>
    internal static Tensor Mask(IReadOnlyList<int[]> rows, SequenceClassifier model) => Mask(rows).to(BodyParts.DeviceOf(model.Body));

    /// <summary>The rows' ids, [B,T], where a model is.</summary>
    internal static Tensor Ids(IReadOnlyList<int[]> rows, SequenceClassifier model, ITokenizer tokenizer) =>
        SequencePadding.Pad(rows, tokenizer.PaddingId).to(BodyParts.DeviceOf(model.Body));

    /// <summary>Refuses models with several scores.</summary>
    internal static void OneScore(SequenceClassifier model, string name)
    {
        if (model.Labels != 1)
            throw new ArgumentException($"{name} has {model.Labels} scores, expected 1: the reward", name);
    }

    /// <summary>Evaluates without gradients and without dropout, whatever the model is in the middle of.</summary>
    internal static T Ask<T>(SequenceClassifier model, Func<T> question)
    {
        using var mode = no_grad();
        bool training = model.training;
        model.eval();
        try
        {
            return question();
        }
        finally
        {
            if (training)
                model.train();
        }
    }
}
