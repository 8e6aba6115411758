using PostTrain.Adapters.Prompts;
using PostTrain.Models;
using PostTrain.Supervised;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Golden;

/// <summary>The cases of peft.json that are prompts: adapters of the types PROMPT_TUNING, PREFIX_TUNING and P_TUNING, and the kind
/// prompt_encoder.</summary>
internal static class PeftPromptCases
{
    private const double Tolerance = 1e-4;

    /// <summary>Whether an adapter case is one of these.</summary>
    internal static bool Holds(GoldenCase item) => item.Text("peft_type") is "PROMPT_TUNING" or "PREFIX_TUNING" or "P_TUNING";

    /// <summary>An adapter directory: logits, loss and gradients of the rows; saved again it holds the same bytes and loads to the same
    /// logits.</summary>
    internal static void Adapter(GoldenCase item)
    {
        using var scope = NewDisposeScope();
        var directory = Path.Combine(GoldenFile.Directory, item.Text("dir")!);
        using var model = Pretrained.Load(Path.Combine(GoldenFile.Directory, "peft", item.Text("base")!));
        using var expected = SafetensorsFile.Open(Path.Combine(directory, "expected.safetensors"));
        using var prompted = SoftPrompts.Load(model, directory);
        var (ids, mask) = (expected.Read("input_ids"), expected.Read("attention_mask"));
        var logits = prompted.Project(prompted.Hidden(ids, mask));

        // The peer's logits of a prompt include the virtual positions; those of padding mean nothing.
        var length = ids.size(1);
        var reference = expected.Read("logits");
        reference = reference.narrow(1, reference.size(1) - length, length);
        var real = mask.ne(0).unsqueeze(-1);
        TensorAssert.Close(reference.masked_fill(real.logical_not(), 0), logits.masked_fill(real.logical_not(), 0), Tolerance, "logits");

        // A prefix's first real token has no target; neither has a prompt's, as the virtual positions' labels are ignored but its last
        // predicts the first token.
        var loss = Loss(prompted, ids, mask, expected.Read("labels"));
        TensorAssert.Close(item.ExpectedNumber("loss"), loss, Tolerance, "loss");
        loss.backward();
        var table = ((PromptTable)prompted.Encoder).Weight;
        if (expected.TryGetEntry("grad.prompt_embeddings", out _))
            TensorAssert.Close(expected.Read("grad.prompt_embeddings"), table.grad!, Tolerance, "gradient of prompt_embeddings");
        Assert.All(model.parameters(), parameter => Assert.True(parameter.grad is null));

        using var copy = new TemporaryDirectory();
        SoftPrompts.Save(prompted, copy.Path, "base");
        using var again = SoftPrompts.Load(model, copy.Path);
        Assert.Equal(prompted.GetType(), again.GetType());
        TensorAssert.Same(logits, again.Project(again.Hidden(ids, mask)), "logits of the saved adapter");
        using var saved = SafetensorsFile.Open(Path.Combine(copy.Path, "adapter_model.safetensors"));
        using var original = SafetensorsFile.Open(Path.Combine(directory, "adapter_model.safetensors"));
        TensorAssert.Same(original.Read("prompt_embeddings"), saved.Read("prompt_embeddings"));
    }

    /// <summary>An encoder's weights, its output, and the gradients of sum(out_weight · output).</summary>
    internal static void Encoder(GoldenCase item)
    {
        using var scope = NewDisposeScope();
        using var expected = SafetensorsFile.Open(Path.Combine(GoldenFile.Directory, item.Text("dir")!, "expected.safetensors"));
        var weights = expected
            .Entries.Where(entry => entry.Name.StartsWith("weight.", StringComparison.Ordinal))
            .ToDictionary(entry => entry.Name["weight.".Length..], entry => expected.Read(entry.Name));
        using var encoder = Create(item.Parameters.Object("config"), (int)item.Parameter("token_dim", 0), weights);
        using (no_grad())
        {
            var parameters = encoder.named_parameters().ToDictionary(pair => pair.name, pair => pair.parameter);
            Assert.Equal(weights.Keys.Order(StringComparer.Ordinal), parameters.Keys.Order(StringComparer.Ordinal));
            foreach (var (name, parameter) in parameters)
            {
                Assert.Equal(weights[name].shape, parameter.shape);
                parameter.copy_(weights[name]);
            }
        }

        encoder.eval();
        var rows = encoder.Rows();
        TensorAssert.Close(expected.Read("output").squeeze(0), rows, 3e-5, "output");
        (rows * expected.Read("out_weight").squeeze(0)).sum().backward();
        foreach (var (name, parameter) in encoder.named_parameters())
            TensorAssert.Close(expected.Read("grad." + name), parameter.grad!, 3e-5, "gradient of " + name);
    }

    // How many heads have keys and values of their own, and how many layers there are, the configuration does not tell: a prefix's widths
    // are those of its weights.
    private static PromptEncoder Create(GoldenFields config, int width, Dictionary<string, Tensor> weights)
    {
        int Size(string name, int fallback) => config.Find(name)?.GetInt32() ?? fallback;
        var (length, hidden) = (Size("num_virtual_tokens", 0), Size("encoder_hidden_size", width));
        if (config.Find("prefix_projection")?.GetBoolean() == true)
        {
            var (rows, narrow) = ((int)weights["transform.2.weight"].size(0), (int)weights["embedding.weight"].size(1));
            Assert.Equal(0, width % narrow);
            return new PrefixProjection(length, rows, narrow, hidden, 1);
        }
        return config.Find("encoder_reparameterization_type")?.GetString() switch
        {
            "LSTM" => new LstmPromptEncoder(
                length,
                width,
                hidden,
                Size("encoder_num_layers", 2),
                config.Find("encoder_dropout")?.GetDouble() ?? 0,
                1
            ),
            "MLP" => new MlpPromptEncoder(length, width, hidden, 1),
            null => new PromptTable(weights["embedding.weight"]),
            var other => throw new NotSupportedException($"encoder_reparameterization_type is {other}, expected MLP or LSTM"),
        };
    }

    // transformers' loss over the labels with those of the virtual positions ignored: the last virtual token of a prompt predicts the first
    // token, a prefix's does not.
    private static Tensor Loss(PromptedLm model, Tensor ids, Tensor mask, Tensor labels)
    {
        var length = ids.size(1);
        if (model is PrefixLm)
            return Nll(model.Project(model.Hidden(ids, mask)).narrow(1, 0, length - 1), labels.narrow(1, 1, length - 1));
        var virtualTokens = model.Encoder.Length;
        var all = cat([model.Encoder.Rows().unsqueeze(0).expand(ids.size(0), virtualTokens, model.HiddenSize), model.Embed(ids)], 1);
        var hidden = model.Base.HiddenFromEmbeddings(all, cat([ones([ids.size(0), virtualTokens], dtype: ScalarType.Int64), mask], 1));
        return Nll(model.Project(hidden).narrow(1, virtualTokens - 1, length), labels);
    }

    private static Tensor Nll(Tensor logits, Tensor labels)
    {
        var counted = labels.ne(-100);
        return SupervisedLosses.NegativeLogLikelihood(logits, labels.masked_fill(counted.logical_not(), 0), counted).Loss;
    }
}
