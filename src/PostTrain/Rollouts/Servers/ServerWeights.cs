using PostTrain.Adapters;
using PostTrain.Models;

namespace PostTrain.Rollouts.Servers;

/// <summary>Way of the policy's weights to a server: files that both can read, and a call that loads them.</summary>
public abstract record ServerWeights
{
    // Weights of requests under way and of the next ones.
    internal const int Kept = 2;

    private ServerWeights() { }

    /// <summary>Creates a way for a LoRA adapter: each delivery writes PEFT's files to <c>FOLDER/NAME-VERSION</c> and loads them under that
    /// name, which the next requests ask for. The last two are kept, older ones unloaded and deleted. vLLM (started with
    /// <c>--enable-lora</c> and VLLM_ALLOW_RUNTIME_LORA_UPDATING=True) and SGLang (<c>--enable-lora</c>).</summary>
    /// <param name="adapted">Adapter that is trained.</param>
    /// <param name="folder">Folder of the files; made if it is missing.</param>
    /// <param name="serverFolder">The same folder as the server sees it; null if the paths are equal.</param>
    /// <param name="name">Beginning of the names.</param>
    public static ServerWeights Adapter(AdaptedModel adapted, string folder, string? serverFolder = null, string name = "policy")
    {
        ArgumentNullException.ThrowIfNull(adapted);
        return new AdapterWeights(adapted, Location(folder, serverFolder, name));
    }

    /// <summary>Creates a way for the whole model: each delivery writes a Hugging Face directory <c>FOLDER/NAME-VERSION</c>, from which the
    /// server takes its weights. The last two are kept. SGLang (<c>/update_weights_from_disk</c>).</summary>
    /// <param name="folder">Folder of the files; made if it is missing.</param>
    /// <param name="serverFolder">The same folder as the server sees it; null if the paths are equal.</param>
    /// <param name="name">Beginning of the names.</param>
    public static ServerWeights Model(string folder, string? serverFolder = null, string name = "policy") =>
        new ModelWeights(Location(folder, serverFolder, name));

    /// <summary>Creates a way of one's own, such as a restart of the server on a new file.</summary>
    /// <param name="deliver">Gets the policy and the number of its weights. Returns the name of the model to ask for from now on; null
    /// leaves it as it is.</param>
    public static ServerWeights Of(Func<CausalLm, long, CancellationToken, Task<string?>> deliver)
    {
        ArgumentNullException.ThrowIfNull(deliver);
        return new OwnWeights(deliver);
    }

    internal abstract void Validate(ServerProtocol protocol);

    private static WeightFolder Location(string folder, string? serverFolder, string name)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        ArgumentException.ThrowIfNullOrEmpty(name);
        if (serverFolder is "")
            throw new ArgumentException("serverFolder is empty, expected a path or null", nameof(serverFolder));
        if (name.AsSpan().ContainsAny(['/', '\\', ':']) || name[0] == '.')
            throw new ArgumentException($"name is '{name}', expected a name without separators", nameof(name));
        return new WeightFolder(Path.GetFullPath(folder), serverFolder, name);
    }

    private static void Refuse(string what, ServerProtocol protocol, string expected) =>
        throw new ArgumentException(
            $"Weights are {what}, which {protocol} does not load at run time; expected {expected}",
            nameof(protocol)
        );

    internal sealed record AdapterWeights(AdaptedModel Adapted, WeightFolder Folder) : ServerWeights
    {
        internal override void Validate(ServerProtocol protocol)
        {
            if (protocol == ServerProtocol.Llama)
                Refuse("an adapter", protocol, "ServerWeights.Of, which may restart the server, or the package PostTrain.LlamaSharp");
        }
    }

    internal sealed record ModelWeights(WeightFolder Folder) : ServerWeights
    {
        internal override void Validate(ServerProtocol protocol)
        {
            if (protocol != ServerProtocol.SgLang)
                Refuse("a whole model", protocol, "ServerWeights.Adapter (vLLM) or ServerWeights.Of");
        }
    }

    internal sealed record OwnWeights(Func<CausalLm, long, CancellationToken, Task<string?>> Deliver) : ServerWeights
    {
        internal override void Validate(ServerProtocol protocol) { }
    }
}
