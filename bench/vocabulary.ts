const subjects = [
  'user',
  'role',
  'document',
  'project',
  'invoice',
  'api_key',
  'session',
  'member',
  'report',
  'webhook',
];
const verbs = ['created', 'updated', 'deleted', 'viewed', 'exported'];

/** Fifty actions, the most frequent first. */
export const actionNames: readonly string[] = verbs.flatMap((verb) =>
  subjects.map((subject) => `${subject}.${verb}`),
);

const nounText = `account agenda agreement alert almanac anchor annex archive article asset atlas attic audit badge ballot
banner barrel basket batch beacon bench binder blanket board bonus border bottle branch bridge brief broker bucket budget
bundle cabin cable calendar campaign canvas capital carbon cargo carpet catalog ceiling channel chapter charter circuit
client climate clinic coast code coffee column comment contract copper corner council course credit crystal culture
current customer cycle dashboard debit decade deed delivery demand deposit design desk detail device diagram digest
dinner director district dollar draft drawer driver dynamo earnings editor effort element engine entry envoy episode
equity estate estimate evening event exchange export fabric factory farm feature fence festival fiber figure filter
finance flight folder forecast forest formula forum frame freight funnel garage garden gateway gear glass grant graph
group guest guide habit hall harbor harvest height hotel image import income index industry insight insurance interest
interview inventory invoice island item jacket journal journey judge kernel kitchen label ladder lamp lantern launch
leaflet league lease ledger lesson letter library license limit link list loan lobby logic machine manager manual map
margin market matrix meadow measure medal meeting memo menu message meter method metric mirror mission model module
moment monitor mountain museum network notebook notice number object office offer option orchard order outline output
packet panel paper parcel partner passage patent patrol payment pencil period permit phase phrase picture pilot pipeline
planet platform policy pool portal portrait post prize process product profile program project promise proposal province
purchase quality quarter query queue quota quote radar range ratio reactor reason receipt recipe record refund region
register release renewal repair report request reserve result retail revenue review reward river rocket roof route
routine salary sample satellite schedule school science scope screen script season section sector sensor series server
service shadow shelter shipment signal silver sketch socket source spark sphere sponsor stage standard station statement
status stock storage store story strategy stream street studio subject summary supply surface survey symbol system table
tariff task tax team template tenant terminal test text theater ticket timber title token tool topic tower track trade
traffic training transfer treaty trend tunnel unit update valley value vault vehicle vendor venture version village vision
voucher wagon wallet warehouse warranty water weather website wheel window winter wire witness worker workshop world yard`;

const adjectiveText = `annual amber ancient basic blue bold brief bright broad calm central clear cold common daily deep
digital direct double early eastern equal exact fast final fine firm first flat fresh full future general gentle global
golden grand green heavy high inner joint large late legal light local long lower main major minor modern monthly narrow
national new northern open outer personal plain primary private prompt proper public quarterly quick quiet rapid rare
ready recent red regular remote revised rough round royal rural safe second secret senior shared sharp short silent
simple single slow small smart smooth soft solid southern special stable steady still strict strong subtle third tidy
total upper urban vital warm weekly western white wide wild yearly young`;

/** Words of names and notes, so that full-text search has something to find. */
export const nouns: readonly string[] = nounText.split(/\s+/);

/** Words that stand before a noun. */
export const adjectives: readonly string[] = adjectiveText.split(/\s+/);

/** Where a tenant's data lives. */
export const regions: readonly string[] = [
  'eu-central-1',
  'eu-west-1',
  'us-east-1',
  'us-west-2',
  'ap-south-1',
];

const systems = [
  'Windows NT 10.0; Win64; x64',
  'Macintosh; Intel Mac OS X 10_15_7',
  'X11; Linux x86_64',
  'Linux; Android 10; K',
];

const browsers = systems.flatMap((system) =>
  Array.from({ length: 20 }, (_, minor) =>
    minor % 4 === 3
      ? `Mozilla/5.0 (${system}; rv:${120 + minor}.0) Gecko/20100101 Firefox/${120 + minor}.0`
      : `Mozilla/5.0 (${system}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/${120 + minor}.0.0.0 Safari/537.36`,
  ),
);

const clients = Array.from({ length: 20 }, (_, minor) => `acme-sdk/4.${minor}.0 node/24.${minor}.1`);

/** Eighty browsers and twenty versions of a library, as they name themselves. */
export const userAgents: readonly string[] = [...browsers, ...clients];
