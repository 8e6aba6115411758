using System.Globalization;
using System.Net;
using System.Text.Json.Nodes;
using PostTrain.Models;

namespace PostTrain.Rollouts.Servers;

/// <summary>Delivers weights to a server, and knows which it draws with.</summary>
internal sealed class ServerDelivery(ServerOptions options, ServerConnection connection)
{
    private readonly List<long> kept = [];
    private readonly string prefix = options.Protocol == ServerProtocol.Vllm ? "/v1" : "";
    private long? delivered;

    /// <summary>Name of the delivered weights for requests; null before the first delivery, and where weights have no name.</summary>
    internal string? Model { get; private set; }

    /// <summary>Returns the number of the weights that drew an answer.</summary>
    /// <param name="told">The server's answer.</param>
    /// <param name="asked">Name that was asked for.</param>
    /// <param name="server">Name of the server in messages.</param>
    /// <exception cref="InvalidDataException">The server answered with another model.</exception>
    internal long? VersionOf(string? told, string? asked, string server)
    {
        if (options.Protocol == ServerProtocol.SgLang)
            return long.TryParse(told, NumberStyles.None, CultureInfo.InvariantCulture, out var version) ? version : null;
        if (options.Weights is ServerWeights.AdapterWeights { Folder: var folder } && folder.VersionOf(told) is { } named)
            return named;
        if (told is not null && asked is not null && told != asked)
            throw new InvalidDataException($"{server} answered with the model '{told}', expected '{asked}'");
        // Of a name of its own the server says nothing.
        return delivered;
    }

    internal Task UpdateAsync(CausalLm policy, long version, CancellationToken cancellation) =>
        options.Weights switch
        {
            null => Task.CompletedTask,
            ServerWeights.AdapterWeights adapter => AdapterAsync(adapter, version, cancellation),
            ServerWeights.ModelWeights model => ModelAsync(model, policy, version, cancellation),
            ServerWeights.OwnWeights own => OwnAsync(own, policy, version, cancellation),
            _ => throw new NotSupportedException($"{options.Weights} has no delivery"),
        };

    private async Task AdapterAsync(ServerWeights.AdapterWeights weights, long version, CancellationToken cancellation)
    {
        var folder = weights.Folder;
        weights.Adapted.Save(folder.PathOf(version));
        var load = new JsonObject { ["lora_name"] = folder.NameOf(version), ["lora_path"] = folder.ServerPathOf(version) };
        try
        {
            await connection.TellAsync($"{prefix}/load_lora_adapter", load, cancellation).ConfigureAwait(false);
        }
        catch (HttpRequestException exception) when (exception.StatusCode == HttpStatusCode.BadRequest)
        {
            // An earlier run may have loaded another adapter under the name.
            await UnloadAsync(folder, version, cancellation).ConfigureAwait(false);
            await connection.TellAsync($"{prefix}/load_lora_adapter", load, cancellation).ConfigureAwait(false);
        }
        if (options.Protocol == ServerProtocol.SgLang)
            await NumberAsync(version, cancellation).ConfigureAwait(false);
        (Model, delivered) = (folder.NameOf(version), version);
        await DropAsync(folder, version, old => UnloadAsync(folder, old, cancellation)).ConfigureAwait(false);
    }

    private async Task ModelAsync(ServerWeights.ModelWeights weights, CausalLm policy, long version, CancellationToken cancellation)
    {
        var folder = weights.Folder;
        Pretrained.Save(policy, folder.PathOf(version));
        await connection
            .TellAsync(
                "/update_weights_from_disk",
                new JsonObject
                {
                    ["model_path"] = folder.ServerPathOf(version),
                    ["weight_version"] = version.ToString(CultureInfo.InvariantCulture),
                },
                cancellation
            )
            .ConfigureAwait(false);
        delivered = version;
        await DropAsync(folder, version, _ => Task.CompletedTask).ConfigureAwait(false);
    }

    private async Task OwnAsync(ServerWeights.OwnWeights weights, CausalLm policy, long version, CancellationToken cancellation)
    {
        Model = await weights.Deliver(policy, version, cancellation).ConfigureAwait(false) ?? Model;
        delivered = version;
    }

    // SGLang tells a number with each completion, which an adapter does not change by itself. Older servers have no such command.
    private async Task NumberAsync(long version, CancellationToken cancellation)
    {
        try
        {
            await connection
                .TellAsync(
                    "/update_weight_version",
                    new JsonObject { ["new_version"] = version.ToString(CultureInfo.InvariantCulture), ["abort_all_requests"] = false },
                    cancellation
                )
                .ConfigureAwait(false);
        }
        catch (HttpRequestException exception) when (exception.StatusCode == HttpStatusCode.NotFound) { }
    }

    private async Task UnloadAsync(WeightFolder folder, long version, CancellationToken cancellation)
    {
        try
        {
            await connection
                .TellAsync($"{prefix}/unload_lora_adapter", new JsonObject { ["lora_name"] = folder.NameOf(version) }, cancellation)
                .ConfigureAwait(false);
        }
        catch (HttpRequestException exception) when (exception.StatusCode is HttpStatusCode.BadRequest or HttpStatusCode.NotFound)
        {
            // The server does not have it any more.
        }
    }

    private async Task DropAsync(WeightFolder folder, long version, Func<long, Task> unload)
    {
        kept.Remove(version);
        kept.Add(version);
        while (kept.Count > ServerWeights.Kept)
        {
            await unload(kept[0]).ConfigureAwait(false);
            folder.Delete(kept[0]);
            kept.RemoveAt(0);
        }
    }
}
